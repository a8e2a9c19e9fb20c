"""Adds up images: per data set, and per class and kind of label."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import NEU_CLASSES
from stripscan.dataset.inspection.distribution import Distribution, distribution
from stripscan.dataset.inspection.observe import HEAT_SIDE, Marked, Observation
from stripscan.dataset.samples import LabelKind

MAX_EXAMPLES: Final = 8
"""Images shown of each class and kind of label."""

MAX_POINTS: Final = 400
"""Defects of each class and kind of label in the plot of width and height."""

_PER_IMAGE_EDGES = tuple(range(1, 17))
_GREY_EDGES = tuple(range(0, 257, 8))
_DEVIATION_EDGES = tuple(range(0, 129, 4))
_CONTRAST_EDGES = tuple(range(-128, 129, 8))
_COARSE = 4  # cells along each side of the map that unevenness is taken from


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFigures:
    """One data set.

    Attributes:
        name: Its name.
        images: Number of its images.
        states: Images by state: ``boxes``, ``mask``, ``unlabelled``, ``clean metal``.
        classes: Images that show a class, by class name.
        sizes: Images by size, ``<width> x <height>``.
        grey_mean: Mean grey level of its images, 0-255.
        grey_std: Standard deviation of the grey level within its images.
    """

    name: str
    images: int
    states: Mapping[str, int]
    classes: Mapping[str, int]
    sizes: Mapping[str, int]
    grey_mean: Distribution
    grey_std: Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """One class, as one kind of label shows it.

    Attributes:
        class_name: The class.
        kind: ``boxes`` or ``mask``.
        images: Images that show it.
        pictures: Distinct pictures that show it.
        defects: Boxes, or components of masks.
        defects_per_image: Of the images that show it.
        area_px: Area of the defects in px.
        area_mm2: The same in mm².
        width_px: Width of their bounding boxes in px.
        height_px: Height of their bounding boxes in px.
        points_px: Width and height of some of them, evenly taken.
        grey_mean: Mean grey level of the labelled pixels of an image, 0-255.
        grey_std: Standard deviation of the same.
        contrast: Their mean less that of the metal around them, in grey levels.
        heat: Share of the images in which a place is labelled, 0-1; 20 rows of 20 cells.
        unevenness: Standard deviation over mean of that share, over 4 x 4 parts of the image.
        frame_filling: Defects that reach all four borders.
        specks: Components of fewer than ``SPECK_PX`` px.
        examples: Names of some images that show it, of different pictures.
    """

    class_name: str
    kind: str
    images: int
    pictures: int
    defects: int
    defects_per_image: Distribution
    area_px: Distribution
    area_mm2: Distribution
    width_px: Distribution
    height_px: Distribution
    points_px: tuple[tuple[int, int], ...]
    grey_mean: Distribution
    grey_std: Distribution
    contrast: Distribution
    heat: tuple[tuple[float, ...], ...]
    unevenness: float
    frame_filling: int
    specks: int
    examples: tuple[str, ...]


class DatasetTally:
    """Takes the images of one data set, one at a time."""

    def __init__(self) -> None:
        self._states: Counter[str] = Counter()
        self._classes: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()
        self._grey: list[tuple[float, float]] = []

    def add(self, seen: Observation) -> None:
        """Count one image."""
        height, width = seen.label.shape
        self._states[seen.state] += 1
        self._classes.update(NEU_CLASSES[marked.class_id - 1].name for marked in seen.marked)
        self._sizes[f"{width} x {height}"] += 1
        self._grey.append((seen.grey_mean, seen.grey_std))

    def figures(self, name: str) -> DatasetFigures:
        """Return the figures of all images so far, as those of a data set of this name."""
        grey = np.array(self._grey, np.float64).reshape(-1, 2)
        return DatasetFigures(
            name=name,
            images=len(grey),
            states=dict(sorted(self._states.items())),
            classes={c.name: self._classes[c.name] for c in NEU_CLASSES},
            sizes=dict(self._sizes.most_common()),
            grey_mean=distribution(grey[:, 0], _GREY_EDGES),
            grey_std=distribution(grey[:, 1], _DEVIATION_EDGES),
        )


class ClassTally:
    """Takes what images show of one class, one at a time; keeps about 40 bytes a defect."""

    def __init__(self) -> None:
        self._sizes: list[NDArray[np.int32]] = []
        self._grey: list[tuple[float, float]] = []
        self._contrast: list[float] = []
        self._heat = np.zeros((HEAT_SIDE, HEAT_SIDE), np.float64)
        self._frame_filling = self._specks = 0
        self._first_of_picture: dict[int, str] = {}

    def add(self, marked: Marked, *, name: str, picture: int) -> None:
        """Count one image, given its name and the number of its picture."""
        self._sizes.append(marked.defects[:, 2:].astype(np.int32))
        self._grey.append((marked.grey_mean, marked.grey_std))
        if marked.contrast is not None:
            self._contrast.append(marked.contrast)
        self._heat += marked.where
        self._frame_filling += marked.frame_filling
        self._specks += marked.specks
        self._first_of_picture.setdefault(picture, name)

    def figures(self, class_name: str, kind: LabelKind, mm_per_px: float) -> ClassFigures:
        """Return the figures of all images so far."""
        width, height, area = np.concatenate(self._sizes).T
        grey = np.array(self._grey, np.float64)
        per_image = [len(sizes) for sizes in self._sizes]
        heat = self._heat / len(per_image)
        area_edges = _octaves(int(area.max()))
        side_edges = _octaves(int(max(width.max(), height.max())))
        mm2 = mm_per_px**2
        return ClassFigures(
            class_name=class_name,
            kind=str(kind),
            images=len(per_image),
            pictures=len(self._first_of_picture),
            defects=len(area),
            defects_per_image=distribution(per_image, _PER_IMAGE_EDGES),
            area_px=distribution(area, area_edges),
            area_mm2=distribution(area * mm2, [edge * mm2 for edge in area_edges]),
            width_px=distribution(width, side_edges),
            height_px=distribution(height, side_edges),
            points_px=tuple(
                (int(width[i]), int(height[i])) for i in _evenly(len(area), MAX_POINTS)
            ),
            grey_mean=distribution(grey[:, 0], _GREY_EDGES),
            grey_std=distribution(grey[:, 1], _DEVIATION_EDGES),
            contrast=distribution(self._contrast, _CONTRAST_EDGES),
            heat=tuple(tuple(round(cell, 4) for cell in row) for row in heat.tolist()),
            unevenness=_unevenness(heat),
            frame_filling=self._frame_filling,
            specks=self._specks,
            examples=_some(sorted(self._first_of_picture.values())),
        )


class Together:
    """Counts the images that show two classes, and those where the two share pixels."""

    def __init__(self) -> None:
        self.shown: Counter[tuple[str, str]] = Counter()
        self.overlapping: Counter[tuple[str, str]] = Counter()

    def add(self, seen: Observation) -> None:
        """Count one image."""
        ids = [marked.class_id for marked in seen.marked]
        self.shown.update(_class_names((a, b)) for at, a in enumerate(ids) for b in ids[at + 1 :])
        self.overlapping.update(map(_class_names, seen.overlapping))

    def figures(self) -> tuple["PairFigures", ...]:
        """Return the pairs of classes that meet, by class id."""
        order = {c.name: c.id for c in NEU_CLASSES}
        return tuple(
            PairFigures(
                first=pair[0],
                second=pair[1],
                images=self.shown[pair],
                overlapping=self.overlapping[pair],
            )
            for pair in sorted(self.shown, key=lambda pair: (order[pair[0]], order[pair[1]]))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFigures:
    """Two classes in one image.

    Attributes:
        first: A class.
        second: Another.
        images: Images that show both.
        overlapping: Those where the two share pixels.
    """

    first: str
    second: str
    images: int
    overlapping: int


class Tally:
    """All images, one at a time."""

    def __init__(self) -> None:
        self._datasets: defaultdict[str, DatasetTally] = defaultdict(DatasetTally)
        self._classes: defaultdict[tuple[int, LabelKind], ClassTally] = defaultdict(ClassTally)
        self.together = Together()

    def add(self, seen: Observation, picture: int) -> None:
        """Count one image, given the number of its picture."""
        self._datasets[seen.sample.dataset].add(seen)
        self.together.add(seen)
        for marked in seen.marked:
            self._classes[marked.class_id, seen.sample.kind].add(
                marked, name=seen.sample.name, picture=picture
            )

    def datasets(self) -> tuple[DatasetFigures, ...]:
        """Return the figures of each data set, by name."""
        return tuple(tally.figures(name) for name, tally in sorted(self._datasets.items()))

    def classes(self, mm_per_px: float) -> tuple[ClassFigures, ...]:
        """Return the figures of each class and kind of label that there is, by class id."""
        return tuple(
            tally.figures(NEU_CLASSES[class_id - 1].name, kind, mm_per_px)
            for (class_id, kind), tally in sorted(self._classes.items())
        )


def _class_names(pair: tuple[int, int]) -> tuple[str, str]:
    return NEU_CLASSES[pair[0] - 1].name, NEU_CLASSES[pair[1] - 1].name


def _octaves(largest: int) -> list[int]:
    """Return 1, 2, 4 and so on, up to above ``largest``."""
    return [1 << i for i in range(largest.bit_length() + 1)]


def _evenly(count: int, wanted: int) -> list[int]:
    """Return at most ``wanted`` indices, evenly spaced."""
    return [i * count // min(count, wanted) for i in range(min(count, wanted))]


def _some(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(names[i] for i in _evenly(len(names), MAX_EXAMPLES))


def _unevenness(heat: NDArray[np.float64]) -> float:
    parts = heat.reshape(_COARSE, HEAT_SIDE // _COARSE, _COARSE, -1).mean(axis=(1, 3))
    return float(parts.std() / parts.mean())
