"""Looks at every image of a data set once, and says what there is."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.inspection.observe import Observation, observe
from stripscan.dataset.inspection.sides import SplitFigures, SplitTally
from stripscan.dataset.inspection.tally import ClassFigures, DatasetFigures, PairFigures, Tally
from stripscan.dataset.inspection.twins import MAX_COMPARED, MAX_LISTED, TwinFigures, TwinTally
from stripscan.dataset.samples import Sample
from stripscan.dataset.sources import SourceMatch, match_sources
from stripscan.dataset.split import Split

JSON_FORMAT: Final = "stripscan-inspection"
JSON_VERSION: Final = 1
"""Raised when a field changes its meaning or goes; a reader must refuse a higher one."""

MAX_GROUPS: Final = 6
"""Largest groups that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """Images that show the same metal.

    Attributes:
        images: How many they are.
        pictures: How many distinct pictures; more than one where a picture is composed of others.
        names: Names of some of them.
    """

    images: int
    pictures: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """Something that a label should rarely have: in how many images, and some of them."""

    images: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything that is counted of a data set.

    Attributes:
        mm_per_px: Size of a pixel in mm, for areas in mm².
        images: Number of images.
        pictures: Distinct pictures among them: copies, rotations and flips count once.
        groups: Groups of pictures that share no metal with each other.
        joined_pictures: Pictures that share metal with another one, composites above all.
        datasets: Each data set.
        classes: Each class as each kind of label shows it.
        together: Classes that meet in an image.
        overlap: Images where classes share pixels.
        frame_filling: Images with a defect that reaches all four borders.
        specks: Images with a mask that has a very small component.
        twins: Copies, and whether their labels agree.
        largest_groups: Groups with the most images.
        split: The split, where one was given.
    """

    mm_per_px: float
    images: int
    pictures: int
    groups: int
    joined_pictures: int
    datasets: tuple[DatasetFigures, ...]
    classes: tuple[ClassFigures, ...]
    together: tuple[PairFigures, ...]
    overlap: Odd
    frame_filling: Odd
    specks: Odd
    twins: TwinFigures
    largest_groups: tuple[GroupFigures, ...]
    split: SplitFigures | None

    def images_in(self, state: str) -> int:
        """Return the number of images in a state, as in ``DatasetFigures``."""
        return sum(dataset.states.get(state, 0) for dataset in self.datasets)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON; what does not exist is None."""
        return {"format": JSON_FORMAT, "version": JSON_VERSION, **asdict(self)}


def survey(
    samples: Sequence[Sample],
    *,
    mm_per_px: float,
    split: Split | None = None,
    on_image: Callable[[], None] = lambda: None,
) -> Survey:
    """Look at every sample.

    Images are read twice: to find which show the same metal, and to count. Memory grows by what
    ``match_sources`` keeps of an image, and about 40 bytes a defect.

    Args:
        samples: At least one.
        mm_per_px: Size of a pixel in mm, above 0.
        split: A split of the samples to look at as well.
        on_image: Called after each image that was counted.

    Raises:
        ConfigError: ``mm_per_px`` is no size.
        DataError: There is no sample, an image or label cannot be used, or the split is of others.
    """
    if not (math.isfinite(mm_per_px) and mm_per_px > 0):
        raise ConfigError(f"mm per pixel is {mm_per_px}; give the size of a pixel in mm, above 0")
    if not samples:
        raise DataError("there are no images to inspect")
    sides = None if split is None else SplitTally(split, samples)
    looking = _Looking(samples, match_sources(samples), sides)
    looking.at_all(on_image)
    return looking.result(mm_per_px)


class _Looking:
    """One pass over the images, picture by picture."""

    def __init__(
        self, samples: Sequence[Sample], match: SourceMatch, sides: SplitTally | None
    ) -> None:
        self._samples = samples
        self._picture = match.picture.tolist()
        self._group = match.group.tolist()
        self._sides = sides
        self._tally = Tally()
        self._twins = TwinTally()
        self._overlap: list[str] = []
        self._frame_filling: list[str] = []
        self._specks: list[str] = []

    def at_all(self, on_image: Callable[[], None]) -> None:
        for picture, members in _members(self._picture).items():
            copies: list[Observation] = []
            left_out: list[str] = []
            for index in sorted(members, key=lambda index: self._samples[index].name):
                seen = observe(self._samples[index])
                self._count(seen, picture, self._group[index])
                if len(copies) < MAX_COMPARED:
                    copies.append(seen)
                else:
                    left_out.append(seen.digest)
                on_image()
            self._twins.add(copies, left_out=left_out)

    def result(self, mm_per_px: float) -> Survey:
        groups = _members(self._group)
        pictures_of = {g: {self._picture[i] for i in members} for g, members in groups.items()}
        largest = sorted(groups, key=lambda g: (-len(groups[g]), g))[:MAX_GROUPS]
        return Survey(
            mm_per_px=mm_per_px,
            images=len(self._samples),
            pictures=len(set(self._picture)),
            groups=len(groups),
            joined_pictures=sum(len(p) for p in pictures_of.values() if len(p) > 1),
            datasets=self._tally.datasets(),
            classes=self._tally.classes(mm_per_px),
            together=self._tally.together.figures(),
            overlap=_odd(self._overlap),
            frame_filling=_odd(self._frame_filling),
            specks=_odd(self._specks),
            twins=self._twins.figures(),
            largest_groups=tuple(
                GroupFigures(
                    images=len(groups[g]),
                    pictures=len(pictures_of[g]),
                    names=tuple(self._names(groups[g])),
                )
                for g in largest
                if len(groups[g]) > 1
            ),
            split=None if self._sides is None else self._sides.figures(),
        )

    def _count(self, seen: Observation, picture: int, group: int) -> None:
        self._tally.add(seen, picture)
        if self._sides is not None:
            self._sides.add(seen, picture=picture, group=group)
        name = seen.sample.name
        if seen.overlapping:
            self._overlap.append(name)
        if any(marked.frame_filling for marked in seen.marked):
            self._frame_filling.append(name)
        if any(marked.specks for marked in seen.marked):
            self._specks.append(name)

    def _names(self, members: list[int]) -> list[str]:
        """Return names of a group: one of each picture, then a second of each, and so on."""
        pictures = _members([self._picture[i] for i in members])
        turns = [
            (turn, name)
            for places in pictures.values()
            for turn, name in enumerate(sorted(self._samples[members[i]].name for i in places))
        ]
        return [name for _, name in sorted(turns)[:MAX_LISTED]]


def _members(numbers: Sequence[int]) -> dict[int, list[int]]:
    """Return the indices that have each number."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(numbers):
        members[number].append(index)
    return dict(members)


def _odd(names: list[str]) -> Odd:
    return Odd(images=len(names), examples=tuple(sorted(names)[:MAX_LISTED]))
