"""Scores exported files on the test split, and refuses one that lost what the checkpoint knew."""

from collections.abc import Mapping, Sequence
from typing import Final

from stripscan.contract.errors import ParityError
from stripscan.contract.manifest import Evaluation, VariantScores
from stripscan.dataset.samples import Sample
from stripscan.dataset.scoring.defects import DefectRules
from stripscan.dataset.scoring.evaluation import evaluate, unseen
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.evaluate import engine_segmenter

LARGEST_LOSS: Final = 0.005
"""Pixel mIoU that a variant may lose against the first one of its bundle."""

LARGEST_CLASS_LOSS: Final = 0.5
"""Share of the IoU of a class that a variant may lose: beyond it the class is as good as lost."""


def scored(
    engine: Engine,
    samples: Sequence[Sample],
    min_area_px: Mapping[str, int],
    rules: DefectRules,
) -> Evaluation:
    """Return the figures of a file on labelled images."""
    segment = engine_segmenter(engine, min_area_px)
    return Evaluation.model_validate(evaluate(segment, unseen(samples), rules=rules).to_json())


def headlines(evaluation: Evaluation) -> VariantScores:
    """Return the few figures by which variants are compared."""
    return VariantScores(
        dice_pixel=evaluation.dice_pixel,
        miou_pixel=evaluation.miou_pixel,
        detection_rate=evaluation.detection_rate,
        iou={name: _iou(row) for name, row in evaluation.per_class.items()},
        n_images=evaluation.n_images,
    )


def _iou(row: Mapping[str, int | float | str | None]) -> float | None:
    value = row["iou"]
    return value if isinstance(value, float) else None


def require_scores(variant: str, scores: VariantScores, first: VariantScores) -> None:
    """Refuse a variant that lost too much against the first one.

    Raises:
        ParityError: It lost more mIoU than is allowed, or most of a class.
    """
    if scores.miou_pixel is not None and first.miou_pixel is not None:
        loss = first.miou_pixel - scores.miou_pixel
        if loss > LARGEST_LOSS:
            raise ParityError(
                f"{variant} has a pixel mIoU of {scores.miou_pixel:.4f} on the test split, "
                f"{loss:.4f} less than {first.miou_pixel:.4f}; {LARGEST_LOSS} may be lost. "
                "No bundle was written: leave it out of --precision"
            )
    for name, before in first.iou.items():
        now = scores.iou.get(name)
        if before and now is not None and now < (1 - LARGEST_CLASS_LOSS) * before:
            raise ParityError(
                f"{variant} lost the class {name}: an IoU of {now:.3f} on the test split instead "
                f"of {before:.3f}. No bundle was written: leave it out of --precision"
            )
