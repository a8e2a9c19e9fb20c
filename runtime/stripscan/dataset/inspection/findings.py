"""What a person should know of a data set before training on it, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stripscan.contract.classes import NEU_CLASSES
from stripscan.dataset.inspection.observe import CLEAN, RING_PX, SPECK_PX, UNLABELLED
from stripscan.dataset.inspection.survey import Survey
from stripscan.dataset.inspection.twins import DIFFERENT_IOU

IMBALANCE: Final = 5.0
"""Ratio of pictures of the commonest and the rarest class from which it is worth a word."""

UNEVEN: Final = 0.35
"""Unevenness of positions from which it is worth a word; NEU's is mostly 0.1 to 0.26."""

_LEAST_PICTURES = 50  # fewer are uneven by chance
_FAINT_LEVELS = 5.0
_TITLES = {c.name: c.title for c in NEU_CLASSES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to know.

    Attributes:
        urgent: Whether it spoils training or its figures if nothing is done.
        title: What it is.
        text: What it means, and what to do.
        place: Id of the section of the page that shows it.
    """

    urgent: bool
    title: str
    text: str
    place: str


def findings(survey: Survey) -> list[Finding]:
    """Return what is worth knowing of a data set, the urgent first."""
    found = [*_of_split(survey), *_of_copies(survey), *_of_labels(survey), *_of_balance(survey)]
    return sorted(found, key=lambda finding: not finding.urgent)


def _of_split(survey: Survey) -> Iterator[Finding]:
    split = survey.split
    if split is None:
        return
    if split.leaks:
        yield Finding(
            urgent=True,
            title=f"The split leaks: groups on two sides: {split.leaks:,}",
            text="Its test measures memory. Draw it again with stripscan data split.",
            place="split",
        )
    if split.changed:
        yield Finding(
            urgent=True,
            title=f"Images that are not those that the split was drawn from: {split.changed:,}",
            text="Their pixels differ. Restore them, or draw the split again.",
            place="split",
        )
    present = {figures.class_name for figures in survey.classes}
    for side in split.sides[:3]:
        missing = [_TITLES[name] for name, n in side.classes.items() if not n and name in present]
        if missing:
            yield Finding(
                urgent=True,
                title=f"{side.name} has no {', '.join(missing)}",
                text="Nothing can be learned, chosen or reported of it there.",
                place="split",
            )


def _of_copies(survey: Survey) -> Iterator[Finding]:
    if survey.groups < survey.images:
        yield Finding(
            urgent=survey.split is None,
            title=f"{survey.images:,} images show {survey.pictures:,} pictures in "
            f"{survey.groups:,} independent groups",
            text="The others are copies, rotations, flips, or composed of others. A random split "
            "would test on what it was trained on: split by group, as stripscan data split does.",
            place="copies",
        )
    masks = [a for a in survey.twins.agreements if a.kinds == "mask mask"]
    pairs, same = sum(a.pairs for a in masks), sum(a.same for a in masks)
    different = sum(a.different for a in masks)
    if same < pairs:
        mean = sum((a.iou.mean or 0.0) * a.pairs for a in masks) / pairs
        yield Finding(
            urgent=different > 0,
            title=f"Masks of the same picture agree with a mean IoU of {mean:.3f}",
            text=f"Of {pairs:,} pairs {same:,} are equal, and {different:,} differ in most pixels "
            f"(IoU below {DIFFERENT_IOU}). No model can score better than labels agree with "
            "themselves; correct or drop the worst.",
            place="agreement",
        )
    boxes = [a for a in survey.twins.agreements if a.kinds == "boxes mask"]
    if boxes:
        n = sum(a.pairs for a in boxes)
        mean = sum((a.iou.mean or 0.0) * a.pairs for a in boxes) / n
        yield Finding(
            urgent=False,
            title=f"Boxes against masks of the same pictures: mean IoU {mean:.2f}",
            text="A box is not a mask. Train and score on masks where there are any, and never mix "
            "figures of the two.",
            place="agreement",
        )
    swapped = sum(a.swapped for a in survey.twins.agreements)
    if swapped:
        yield Finding(
            urgent=True,
            title=f"Pairs of labels that give the same pixels different classes: {swapped:,}",
            text="One of the two has its classes swapped; correct it.",
            place="agreement",
        )
    others = sum(a.other_classes for a in survey.twins.agreements)
    if others:
        yield Finding(
            urgent=any(a.other_classes for a in masks),
            title=f"Pairs of labels of which one shows another class: {others:,}",
            text="One of the two is wrong, or leaves a defect out.",
            place="agreement",
        )


def _of_labels(survey: Survey) -> Iterator[Finding]:
    if not survey.images_in(CLEAN):
        yield Finding(
            urgent=True,
            title="No image shows clean metal",
            text="False alarms on clean strip cannot be measured with it, and a model may learn "
            "that every image has a defect. Add images of clean metal.",
            place="data-sets",
        )
    if survey.images_in(UNLABELLED):
        yield Finding(
            urgent=False,
            title=f"Images without a label: {survey.images_in(UNLABELLED):,}",
            text="They teach nothing, and are not clean metal.",
            place="data-sets",
        )
    odd = (
        (survey.overlap, "classes that share pixels", "A model of one class a pixel picks one."),
        (
            survey.frame_filling,
            "a defect that reaches all four borders",
            "Such a label says what the image shows and not where.",
        ),
        (
            survey.specks,
            f"a mask with specks of fewer than {SPECK_PX} px",
            "They are slips of the brush more often than defects, and count as defects in every "
            "figure that counts components.",
        ),
    )
    for what, name, meaning in odd:
        if what.images:
            yield Finding(
                urgent=False,
                title=f"Images that have {name}: {what.images:,}",
                text=meaning,
                place="oddities",
            )


def _of_balance(survey: Survey) -> Iterator[Finding]:
    pictures = {c.name: 0 for c in NEU_CLASSES}
    for figures in survey.classes:
        pictures[figures.class_name] = max(pictures[figures.class_name], figures.pictures)
    absent = [_TITLES[name] for name, n in pictures.items() if not n]
    if absent:
        yield Finding(
            urgent=False,
            title=f"No image shows {', '.join(absent)}",
            text="A model trained on these data cannot find it.",
            place="classes",
        )
    shown = {name: n for name, n in pictures.items() if n}
    if shown and max(shown.values()) >= IMBALANCE * min(shown.values()):
        most, least = max(shown, key=shown.__getitem__), min(shown, key=shown.__getitem__)
        yield Finding(
            urgent=False,
            title=f"{shown[most]:,} pictures show {_TITLES[most]}, {shown[least]:,} "
            f"{_TITLES[least]}",
            text="Weigh or sample the rare class, and look at its figure on its own.",
            place="classes",
        )
    for figures in survey.classes:
        if figures.unevenness >= UNEVEN and figures.pictures >= _LEAST_PICTURES:
            yield Finding(
                urgent=False,
                title=f"{_TITLES[figures.class_name]} ({figures.kind}) prefers some places",
                text="A model may learn the place instead of the defect. Flip and shift in "
                "training.",
                place="positions",
            )
    faint = [
        f"{_TITLES[f.class_name]} ({f.kind})"
        for f in survey.classes
        if f.contrast.mean is not None and abs(f.contrast.mean) < _FAINT_LEVELS
    ]
    if faint:
        yield Finding(
            urgent=False,
            title=f"Grey level alone does not show {', '.join(faint)}",
            text=f"On the mean it differs by less than {_FAINT_LEVELS:.0f} levels from the metal "
            f"within {RING_PX} px; texture must tell.",
            place="grey",
        )
    if len({size for dataset in survey.datasets for size in dataset.sizes}) > 1:
        yield Finding(
            urgent=False,
            title="The images have several sizes",
            text="Check that a pixel is the same number of mm in all of them.",
            place="data-sets",
        )
