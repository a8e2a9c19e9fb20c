"""How much the public NEU sets leak, and how far their labels can be trusted.

Measures every figure of docs/explanation/leakage-and-boxes.md on a folder with NEU-DET, NEU-Seg
and SD-saliency-900. Nothing is trained: scores are of masks that are copied from the training
picture that looks most alike, or of the labels themselves. Takes a few minutes on one core.

    python benchmarks/leakage.py path/to/data --json benchmarks/reports/leakage.json
"""

import argparse
import itertools
import json
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import DataError, StripscanError
from stripscan.contract.files import write_file
from stripscan.dataset.images import read_mono
from stripscan.dataset.nearest import class_mask, nearest_masks
from stripscan.dataset.neu import NEU_DET, NEU_SEG, SD_SALIENCY, find_samples
from stripscan.dataset.public import PUBLIC_PARTS, public_overlaps
from stripscan.dataset.samples import PIXEL_CLASSES, Sample, load
from stripscan.dataset.scoring.evaluation import Evaluation, Evaluator
from stripscan.dataset.scoring.segmented import Segmented
from stripscan.dataset.sources import (
    ORIENTATIONS,
    PICTURE_SIDE,
    Floats,
    SourceMatch,
    match_sources,
    picture_descriptor,
    turn,
    unit,
)
from stripscan.dataset.split import Split, best_label, split_as_original, split_by_source

Figures = dict[str, float | int | None]

SEED = 7
NEAR = 0.9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder with neu-det, neu-seg, sd-saliency-900")
    parser.add_argument("--json", type=Path, help="write the record here")
    options = parser.parse_args()
    try:
        record = measure(options.data)
        if options.json:
            write_file(options.json, json.dumps(record, indent=2).encode() + b"\n")
    except StripscanError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print_table(record)
    return 0


def measure(data: Path) -> dict[str, object]:
    samples = find_samples(data)
    missing = {NEU_DET, NEU_SEG, SD_SALIENCY} - {s.dataset for s in samples}
    if missing:
        raise DataError(f"{data}: holds no {', '.join(sorted(missing))}")
    match = match_sources(samples)
    return {
        "benchmark": "leakage",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "sources": sources(samples, match),
        "public_split_of_neu_seg": public_split(samples, match),
        "copied_masks": copied_masks(samples, match),
        "near_twins_in_neu_det": near_twins([s for s in samples if s.dataset == NEU_DET]),
        "boxes_against_masks": boxes_against_masks(samples, match),
        "masks_of_twins": masks_of_twins(samples, match),
    }


def sources(samples: Sequence[Sample], match: SourceMatch) -> Figures:
    seen: dict[int, set[str]] = defaultdict(set)
    for sample, picture in zip(samples, match.picture.tolist(), strict=True):
        seen[picture].add(sample.dataset)
    composites = {picture for picture, sets in seen.items() if sets == {NEU_SEG}}
    det = [i for i, s in enumerate(samples) if s.dataset == NEU_DET]
    split = split_by_source(samples, match.group, seed=SEED)
    return {
        "images": len(samples),
        "pictures": len(seen),
        "groups": len(np.unique(match.group)),
        "neu_seg_images": sum(s.dataset == NEU_SEG for s in samples),
        "neu_seg_pictures": sum(NEU_SEG in sets for sets in seen.values()),
        "neu_seg_pictures_not_in_neu_det": len(composites),
        "of_these_joined_to_a_part": len(composites & set(match.shared.flatten().tolist())),
        "neu_det_images": len(det),
        "neu_det_pictures": len(np.unique(match.picture[det])),
        "split_train": len(split.train),
        "split_val": len(split.val),
        "split_test": len(split.test),
    }


def public_split(samples: Sequence[Sample], match: SourceMatch) -> Figures:
    (found,) = (o for o in public_overlaps(samples, match) if o.dataset == NEU_SEG)
    return {
        "training_images": found.n_train,
        "test_images": found.n_test,
        "with_twin_in_training": found.n_twins,
        "with_twin_in_training_share": found.n_twins / found.n_test,
        "sharing_metal_with_training": found.n_shared,
    }


def copied_masks(samples: Sequence[Sample], match: SourceMatch) -> Figures:
    """Score the labels of the training pictures that look most alike."""
    of_source = dict(zip((s.name for s in samples), match.group.tolist(), strict=True))

    def score(train: Sequence[Sample], test: Sequence[Sample]) -> Evaluation:
        return scored(nearest_masks(train, test), of_source)

    seg = [s for s in samples if s.dataset == NEU_SEG]
    public = score(*([s for s in seg if f"/{part}/" in s.name] for part in PUBLIC_PARTS))
    split = split_by_source(samples, match.group, seed=SEED)
    ours = score(*sides(split, seg))
    best = score(*sides(split, best_label(samples, match.picture)))
    boxes = score(*sides(split_as_original(samples, seed=SEED), samples))
    return {
        "neu_seg_public_split_miou": public.figures["miou_pixel"],
        "neu_seg_public_split_miou_with_background": public.figures["miou_pixel_with_background"],
        "neu_seg_by_source_miou": ours.figures["miou_pixel"],
        "neu_seg_by_source_miou_with_background": ours.figures["miou_pixel_with_background"],
        "neu_seg_by_source_test_images": ours.n_images,
        "all_by_source_miou": best.figures["miou_pixel"],
        "all_by_source_dice_pixel": best.figures["dice_pixel"],
        "all_by_source_dice": best.figures["dice"],
        "all_by_source_test_pictures": best.n_images,
        "neu_det_by_image_dice": boxes.figures["dice"],
    }


def sides(split: Split, samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Return those of the samples that are to train and to test on."""
    train, test = set(split.train), set(split.test)
    return [s for s in samples if s.name in train], [s for s in samples if s.name in test]


def scored(
    masks: Iterable[tuple[Sample, NDArray[np.uint8]]], of_source: dict[str, int]
) -> Evaluation:
    evaluator = Evaluator()
    for sample, mask in masks:
        certain = np.full_like(mask, 255)
        evaluator.add(sample, load(sample), Segmented(mask=mask, score=certain))
    return evaluator.result(lambda group: np.array([of_source[s.name] for s in group], np.int64))


def near_twins(samples: Sequence[Sample]) -> Figures:
    """Count pictures with another one that correlates above ``NEAR`` in some orientation."""
    images = [read_mono(s.image) for s in samples]
    size = (PICTURE_SIDE, PICTURE_SIDE)
    as_is = [cv2.resize(i.astype(np.float32), size, interpolation=cv2.INTER_AREA) for i in images]
    with_light = highest_correlation(np.stack(as_is))
    without = highest_correlation(np.stack([picture_descriptor(i) for i in images]))
    spread = np.array([not s.image.stem.startswith(PIXEL_CLASSES) for s in samples])
    return {
        "images": len(samples),
        "with_slow_brightness": int((with_light >= NEAR).sum()),
        "without_slow_brightness": int((without >= NEAR).sum()),
        "spread_textures": int(spread.sum()),
        "spread_textures_without_slow_brightness": int((without[spread] >= NEAR).sum()),
        "highest_of_spread_textures": float(without[spread].max()),
    }


def highest_correlation(pictures: Floats) -> NDArray[np.float32]:
    """Return for each picture ``[n, 32, 32]`` the highest correlation with another one."""
    flat = unit(pictures.reshape(len(pictures), -1))
    best = np.full(len(pictures), -1, np.float32)
    for orientation in range(ORIENTATIONS):
        alike = flat @ unit(turn(pictures, orientation).reshape(len(pictures), -1)).T
        np.fill_diagonal(alike, -1)
        best = np.maximum(best, alike.max(axis=1))
    return best


def boxes_against_masks(samples: Sequence[Sample], match: SourceMatch) -> Figures:
    """Compare NEU-DET's filled boxes with SD-saliency-900's masks of the same pictures."""
    kept = [i for i, s in enumerate(samples) if s.dataset in (NEU_DET, SD_SALIENCY)]
    chosen = best_label([samples[i] for i in kept], match.picture[kept])
    pairs = [sample for sample in chosen if sample.boxes is not None]
    ious, inside, filled = [], [], []
    for sample in pairs:
        labelled = load(sample)
        mask, boxes = labelled.target.any(axis=0), labelled.boxes.any(axis=0)
        ious.append((mask & boxes).sum() / (mask | boxes).sum())
        inside.append((mask & boxes).sum() / mask.sum())
        filled.append((mask & boxes).sum() / boxes.sum())
    numbers = {s.name: i for i, s in enumerate(pairs)}
    perfect = scored(((s, class_mask(s)) for s in pairs), numbers)
    return {
        "pictures": len(pairs),
        "mean_iou": float(np.mean(ious)),
        "share_of_mask_inside_boxes": float(np.mean(inside)),
        "share_of_boxes_that_is_mask": float(np.mean(filled)),
        "dice_of_perfect_masks": perfect.figures["dice"],
        "dice_of_perfect_masks_boxed": perfect.figures["dice_boxed"],
    }


def masks_of_twins(samples: Sequence[Sample], match: SourceMatch) -> Figures:
    """Compare NEU-Seg's masks of the same picture, brought into one orientation."""
    copies: dict[int, list[Sample]] = defaultdict(list)
    for sample, picture in zip(samples, match.picture.tolist(), strict=True):
        if sample.dataset == NEU_SEG:
            copies[picture].append(sample)
    ious: list[float] = []
    disputed = 0
    for twins in copies.values():
        found = [agreement(a, b) for a, b in itertools.combinations(upright_masks(twins), 2)]
        ious += found
        disputed += any(iou < 1 for iou in found)
    different = [iou for iou in ious if iou < 1]
    return {
        "pictures_with_twins": sum(len(twins) > 1 for twins in copies.values()),
        "pictures_whose_masks_differ": disputed,
        "pairs": len(ious),
        "pairs_that_differ": len(different),
        "share_that_differs": len(different) / len(ious),
        "median_iou_of_those": float(np.median(different)),
        "share_below_iou_0_8": sum(iou < 0.8 for iou in ious) / len(ious),
    }


def upright_masks(twins: Sequence[Sample]) -> list[NDArray[np.uint8]]:
    """Return the masks of copies of one picture, turned to lie as the first."""
    first, *_ = described = [picture_descriptor(read_mono(s.image)) for s in twins]
    masks = []
    for sample, picture in zip(twins, described, strict=True):
        alike = [
            float(np.vdot(unit(first.ravel()), unit(turn(picture, orientation).ravel())))
            for orientation in range(ORIENTATIONS)
        ]
        masks.append(turn(class_mask(sample), int(np.argmax(alike))))
    return masks


def agreement(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the pixels that both give the same class, of those that either gives one."""
    either = np.count_nonzero(one | other)
    return np.count_nonzero((one == other) & (one > 0)) / either if either else 1.0


def print_table(record: dict[str, object]) -> None:
    sections = {name: value for name, value in record.items() if isinstance(value, dict)}
    for name, value in record.items():
        if name not in sections:
            print(f"{name:<44}{value}")
    for title, figures in sections.items():
        print(f"\n{title}")
        for name, value in figures.items():
            print(
                f"  {name:<42}{value:.3f}" if isinstance(value, float) else f"  {name:<42}{value}"
            )


if __name__ == "__main__":
    sys.exit(main())
