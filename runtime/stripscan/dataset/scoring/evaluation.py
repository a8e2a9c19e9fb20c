"""Scores predicted masks against labels, boxes and pixel masks apart.

A box is not a mask (on the same NEU images their mean IoU is 0.39), so figures against boxes and
against pixel masks are never mixed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import DataError
from stripscan.dataset.images import pixel_digest, read_mono
from stripscan.dataset.samples import PIXEL_CLASSES, LabelKind, Labelled, Sample, load
from stripscan.dataset.scoring.alarms import AlarmRate, alarm_rate
from stripscan.dataset.scoring.calibration import BINS, CONFIDENCE, PIXELS, RIGHT
from stripscan.dataset.scoring.defects import (
    CLASSIFIED,
    CONFIRMED,
    DETECTED,
    LABELLED,
    PREDICTED,
    ROWS,
    SIZES,
    DefectMatch,
    DefectRules,
    match_defects,
    total,
)
from stripscan.dataset.scoring.figures import (
    CLASS_FIGURES,
    DEFECT_RATES,
    HEADLINES,
    SHAPES,
    figures_of,
    image_counts,
    rate_names,
)
from stripscan.dataset.scoring.metrics import Floats, number
from stripscan.dataset.scoring.segmented import Segment, Segmented
from stripscan.dataset.scoring.tally import (
    Interval,
    Tally,
    by_group,
    percentile_interval,
    resampled_sums,
    widened,
)
from stripscan.dataset.sources import group_sources

UNLABELLED_METAL = "unlabelled_metal"
"""Name of the false alarms on the metal beside the labels, in ``Evaluation.false_alarms``."""

Picture = tuple[Sample, NDArray[np.uint8]]
"""A sample and its pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One image that was scored.

    Attributes:
        sample: The sample.
        labelled: Its pixels and label.
        segmented: What was seen.
        match: Its defects.
    """

    sample: Sample
    labelled: Labelled
    segmented: Segmented
    match: DefectMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of merit; docs/reference/evaluation.md defines each.

    Attributes:
        figures: 0-1 by dotted name, as of ``figures_of``; None where no image can give one.
        intervals: 95 % bootstrap intervals by the same names, of those that have one.
        counts: Sums of the counts of all images, by the names of ``SHAPES``.
        rules: What counts as a defect.
        false_alarms: Alarms on clean metal, by where it lies.
        box_figures_of: What ``dice``, ``dice_pos``, ``dice_neg`` and ``iou`` are of.
        sources: Number of the source of each image by its sample's name.
    """

    figures: Mapping[str, float | None]
    intervals: Mapping[str, Interval]
    counts: Mapping[str, Floats]
    rules: DefectRules
    false_alarms: Mapping[str, AlarmRate]
    box_figures_of: Literal["mask", "box head"]
    sources: Mapping[str, int]

    @property
    def n_images(self) -> int:
        """Images scored."""
        return len(self.sources)

    @property
    def n_sources(self) -> int:
        """Groups of images without common metal among them."""
        return len(set(self.sources.values()))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON; what does not exist is None."""
        return {
            **{name: self.figures[name] for name in HEADLINES},
            "box_figures_of": self.box_figures_of,
            "per_class": {c.name: self.class_row(c.name) for c in NEU_CLASSES},
            "defects": {
                "overlap": self.rules.overlap,
                "min_area_px": self.rules.min_area_px,
                "mm_per_px": self.rules.mm_per_px,
                "total": self._defect_row(total(self.counts["defects"]), None),
                "per_class": {c.name: self.defect_row(c.name) for c in NEU_CLASSES},
                "by_size_mm2": {size: self.defect_row(size) for size in SIZES},
            },
            "false_alarms": {name: rate.to_json() for name, rate in self.false_alarms.items()},
            "reliability": self.reliability(),
            "intervals": dict(self.intervals),
            "n_images": self.n_images,
            "n_images_boxes": int(self.counts["images_with_boxes"]),
            "n_images_pixel": int(self.counts["images_with_masks"]),
            "n_sources": self.n_sources,
        }

    def class_row(self, name: str) -> dict[str, float | int | str | None]:
        """Return the pixel figures of a class.

        Inclusion, patches and scratches are scored on the images with pixel masks. The others are
        labelled by boxes: they are scored on all images, so that a false alarm counts wherever it
        is.
        """
        (class_id,) = (c.id for c in NEU_CLASSES if c.name == name)
        by_mask = name in PIXEL_CLASSES
        return {
            **{figure: self.figures[f"per_class.{name}.{figure}"] for figure in CLASS_FIGURES},
            "n_images": int(self.counts["mask_shown" if by_mask else "shown"][class_id]),
            "label": str(LabelKind.MASK if by_mask else LabelKind.BOXES),
        }

    def defect_row(self, row: str) -> dict[str, float | int | None]:
        """Return the counts and rates of the defects of a class or size, one of ``ROWS``."""
        return self._defect_row(self.counts["defects"][ROWS.index(row)], row)

    def _defect_row(self, counts: Floats, row: str | None) -> dict[str, float | int | None]:
        names = zip(DEFECT_RATES, rate_names(row), strict=True)
        return {
            "labelled": int(counts[LABELLED]),
            "detected": int(counts[DETECTED]),
            "classified": int(counts[CLASSIFIED]),
            "predicted": int(counts[PREDICTED]),
            "confirmed": int(counts[CONFIRMED]),
            **{rate: self.figures[name] for rate, name in names},
        }

    def reliability(self) -> tuple[dict[str, float | int | None], ...]:
        """Return the bins of confidence from low to high: pixels, mean confidence, share right."""
        counts = self.counts["reliability"]
        bins = []
        for index in range(BINS):
            pixels = int(counts[PIXELS, index])
            bins.append(
                {
                    "from": index / BINS,
                    "to": (index + 1) / BINS,
                    "pixels": pixels,
                    "confidence": counts[CONFIDENCE, index] / pixels if pixels else None,
                    "right": counts[RIGHT, index] / pixels if pixels else None,
                }
            )
        return tuple(bins)


class Evaluator:
    """Takes one image at a time and keeps only its counts."""

    def __init__(self, rules: DefectRules | None = None) -> None:
        self._rules = rules or DefectRules()
        self._tally = Tally(SHAPES)
        self._samples: list[Sample] = []
        self._box_head = False

    def add(self, sample: Sample, labelled: Labelled, segmented: Segmented) -> Scored:
        """Score one image.

        Args:
            sample: The sample; its kind of label decides which figures it counts for.
            labelled: Its pixels, from ``load``.
            segmented: What was seen.

        Raises:
            ValueError: The sample has no label, or the mask does not fit it.
        """
        if sample.label is None:
            raise ValueError(f"'{sample.name}' has no label to score against")
        if segmented.mask.shape != labelled.image.shape:
            raise ValueError(
                f"'{sample.name}' has {list(labelled.image.shape)} px, the mask "
                f"{list(segmented.mask.shape)}"
            )
        match = match_defects(segmented.mask, labelled, self._rules)
        self._tally.add(image_counts(sample, labelled, segmented, match, self._rules))
        self._samples.append(sample)
        self._box_head |= segmented.boxes is not None
        return Scored(sample=sample, labelled=labelled, segmented=segmented, match=match)

    def result(
        self, groups: Callable[[Sequence[Sample]], NDArray[np.int64]] = group_sources
    ) -> Evaluation:
        """Return the figures of all images so far; the order they came in does not matter.

        Args:
            groups: Gives each sample the number of its source, int64 ``[n]``; see
                ``sources.group_sources``.

        Raises:
            DataError: A picture cannot be read.
        """
        order = sorted(range(len(self._samples)), key=lambda i: self._samples[i].name)
        rows = self._tally.rows()[order]
        samples = [self._samples[i] for i in order]
        of_source = groups(samples)
        counts = self._tally.named(rows.sum(axis=0))
        figures = {name: number(value) for name, value in figures_of(counts).items()}
        by_source = by_group(rows, of_source)
        drawn = self._tally.named(resampled_sums(by_source) if len(by_source) > 1 else rows[:0])
        intervals = _intervals(figures, figures_of(drawn))
        return Evaluation(
            figures=figures,
            intervals=_widened(intervals, self._tally.named(by_source)["defects"]),
            counts=counts,
            rules=self._rules,
            false_alarms=_beside_labels(counts["bare"], drawn["bare"], self._rules),
            box_figures_of="box head" if self._box_head else "mask",
            sources={s.name: n for s, n in zip(samples, of_source.tolist(), strict=True)},
        )


def evaluate(
    segment: Segment,
    pictures: Iterable[Picture],
    *,
    rules: DefectRules | None = None,
    on_image: Callable[[Scored], None] = lambda _: None,
) -> Evaluation:
    """Segment labelled images and score the masks.

    Args:
        segment: What is scored.
        pictures: Labelled samples and their pixels, from ``unseen``.
        rules: What counts as a defect.
        on_image: Called after each image.

    Raises:
        DataError: There is nothing to score, or an image or label cannot be read.
        EngineError: Inference failed.
    """
    evaluator = Evaluator(rules)
    some = False
    for sample, image in pictures:
        labelled = load(sample, image=image)
        on_image(evaluator.add(sample, labelled, segment(image)))
        some = True
    if not some:
        raise DataError("there is no image to score: every one was seen in training")
    return evaluator.result()


def unseen(
    samples: Iterable[Sample],
    seen: frozenset[str] = frozenset(),
    *,
    on_seen: Callable[[Sample], None] = lambda _: None,
) -> Iterator[Picture]:
    """Read the pictures of samples, each once, and pass over those that a model has seen.

    Args:
        samples: The samples.
        seen: ``pixel_digest`` of what was seen, so that it does not matter what files are called.
        on_seen: Called with each sample that is passed over.

    Raises:
        DataError: A picture cannot be read.
    """
    for sample in samples:
        image = read_mono(sample.image)
        if seen and pixel_digest(image) in seen:
            on_seen(sample)
        else:
            yield sample, image


def _intervals(
    figures: Mapping[str, float | None], drawn: Mapping[str, Floats]
) -> dict[str, Interval]:
    found = {
        name: percentile_interval(drawn[name], estimate)
        for name, estimate in figures.items()
        if estimate is not None
    }
    return {name: interval for name, interval in found.items() if interval is not None}


def _widened(intervals: Mapping[str, Interval], defects: Floats) -> dict[str, Interval]:
    """Widen the intervals of rates that are 0 or 1, given the defects by source ``[n, 10, 5]``."""
    wide = dict(intervals)
    for row, counts in ((None, total(defects)), *zip(ROWS, defects.swapaxes(0, 1), strict=True)):
        for rate, name in zip(DEFECT_RATES, rate_names(row), strict=True):
            if name in wide:
                whole = counts[:, PREDICTED if rate == "precision" else LABELLED]
                wide[name] = widened(wide[name], int(np.count_nonzero(whole)))
    return wide


def _beside_labels(bare: Floats, drawn: Floats, rules: DefectRules) -> dict[str, AlarmRate]:
    """Return the alarms beside labels, with the wider end of both intervals on either side.

    Copies of one picture alarm together, which Poisson's interval does not know; where nothing
    alarmed the bootstrap knows nothing.
    """
    rate = alarm_rate(int(bare[0]), rules.area_m2(bare[1]))
    if rate is None:
        return {}
    with_metal = drawn[drawn[:, 1] > 0]
    per_m2 = with_metal[:, 0] / rules.area_m2(1.0) / with_metal[:, 1]
    low, high = percentile_interval(per_m2, rate.per_m2) or (rate.low, rate.high)
    wide = AlarmRate(
        count=rate.count,
        area_m2=rate.area_m2,
        low=min(low, rate.low),
        high=max(high, rate.high),
    )
    return {UNLABELLED_METAL: wide}
