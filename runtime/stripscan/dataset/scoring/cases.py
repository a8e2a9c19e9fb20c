"""Keeps the images that a person should look at: the best, the worst, and each kind of error."""

import base64
import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import NEU_CLASSES
from stripscan.dataset.samples import Sample
from stripscan.dataset.scoring.defects import LabelledDefect, PredictedDefect
from stripscan.dataset.scoring.evaluation import Scored
from stripscan.dataset.scoring.figures import flat_dice
from stripscan.dataset.scoring.metrics import one_hot

BEST, WORST, WRONG_CLASS, MISSED, FALSE_ALARM = KINDS = (
    "best",
    "worst",
    "wrong class",
    "missed defect",
    "false alarm",
)

SIDE_PX: Final = 256
"""Longest side of a picture."""

_KEPT = 30  # of each kind; copies of one picture are weeded out when all sources are known
_JPEG_QUALITY = 82
_INSIDE = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The outline of a class in a picture.

    Attributes:
        title: What a person reads.
        colour: ``#rrggbb``.
        path: SVG path, in pixels of the picture.
    """

    title: str
    colour: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An image to look at.

    Attributes:
        sample: Its sample.
        note: What there is to see.
        uri: ``data:`` URI of a JPEG.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        label: Outlines of the label.
        prediction: Outlines of the prediction.
    """

    sample: Sample
    note: str
    uri: str
    width: int
    height: int
    label: tuple[Outline, ...]
    prediction: tuple[Outline, ...]


class CaseBook:
    """Takes images as they are scored and keeps the most telling of each kind."""

    def __init__(self) -> None:
        self._heaps: dict[str, list[tuple[float, str, Case]]] = {kind: [] for kind in KINDS}

    def add(self, scored: Scored) -> None:
        """Keep an image where it tells more than one of those that are kept."""
        case: Case | None = None
        for kind, weight, note in _tellings(scored):
            heap, name = self._heaps[kind], scored.sample.name
            if len(heap) == _KEPT and (weight, name) <= heap[0][:2]:
                continue
            case = _drawn(scored, note) if case is None or case.note != note else case
            heapq.heappush(heap, (weight, name, case))
            if len(heap) > _KEPT:
                heapq.heappop(heap)

    def chosen(self, sources: Mapping[str, int], *, each: int = 6) -> dict[str, list[Case]]:
        """Return the most telling cases of each kind, one of each source.

        Args:
            sources: Number of the source by the sample's name.
            each: Cases of each kind, at most.
        """
        return {
            kind: _one_of_each_source(
                [case for _, _, case in sorted(heap, key=lambda entry: (-entry[0], entry[1]))],
                sources,
            )[:each]
            for kind, heap in self._heaps.items()
        }


def _one_of_each_source(cases: Sequence[Case], sources: Mapping[str, int]) -> list[Case]:
    first: dict[int, Case] = {}
    for case in cases:
        first.setdefault(sources[case.sample.name], case)
    return list(first.values())


def _tellings(scored: Scored) -> Iterator[tuple[str, float, str]]:
    """Yield the kinds of case that an image is, how telling it is, and what to say of it."""
    dice = flat_dice(scored.labelled, scored.segmented)
    if dice is not None:
        yield BEST, dice, f"Dice {dice:.3f}"
        yield WORST, -dice, f"Dice {dice:.3f}"
    labelled = scored.match.labelled
    missed = [defect for defect in labelled if not defect.detected]
    wrong = [defect for defect in labelled if defect.detected and not defect.classified]
    false = [found for found in scored.match.predicted if found.false_alarm]
    largest: dict[str, LabelledDefect | PredictedDefect | None] = {
        MISSED: max(missed, key=_area, default=None),
        WRONG_CLASS: max(wrong, key=_area, default=None),
        FALSE_ALARM: max(false, key=_area, default=None),
    }
    for kind, defect in largest.items():
        if defect is not None:
            title = NEU_CLASSES[defect.class_id - 1].title
            yield kind, float(defect.area_px), f"{title}, {defect.area_px} px"


def _area(defect: LabelledDefect | PredictedDefect) -> int:
    return defect.area_px


def _drawn(scored: Scored, note: str) -> Case:
    image = scored.labelled.image
    scale = min(1.0, SIDE_PX / max(image.shape))
    height, width = (max(1, round(side * scale)) for side in image.shape)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    truth = scored.labelled.target
    if scored.labelled.boxes is not None:
        truth = truth | (scored.labelled.boxes & ~scored.labelled.known)
    return Case(
        sample=scored.sample,
        note=note,
        uri=f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}",
        width=width,
        height=height,
        label=_outlines(truth, (width, height)),
        prediction=_outlines(one_hot(scored.segmented.mask), (width, height)),
    )


def _outlines(layers: NDArray[np.bool_], size: tuple[int, int]) -> tuple[Outline, ...]:
    return tuple(
        Outline(title=kind.title, colour=kind.colour, path=_path(layer, size))
        for kind, layer in zip(NEU_CLASSES, layers, strict=True)
        if layer.any()
    )


def _path(layer: NDArray[np.bool_], size: tuple[int, int]) -> str:
    """Return the outline of a layer in a picture of the size, width first, as an SVG path."""
    # Area averaging with a low threshold keeps a scratch of one pixel that nearest neighbour loses.
    small = cv2.resize(layer * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    contours, _ = cv2.findContours(
        (small > _INSIDE).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    return "".join(_closed(contour) for contour in contours)


def _closed(contour: NDArray[Any]) -> str:
    # Pixel centres lie half a pixel in.
    points = (f"{x}.5 {y}.5" for x, y in contour.reshape(-1, 2).tolist())
    return "M" + "L".join(points) + "Z"
