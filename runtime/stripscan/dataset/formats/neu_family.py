"""NEU-DET, NEU-Seg and SD-saliency-900, which `find_samples` reads where they lie as well."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import DataError
from stripscan.dataset.formats.canvas import Canvas
from stripscan.dataset.formats.foreign import ForeignImage, ForeignSet, Format, name_images
from stripscan.dataset.neu import (
    NEU_DET_FOLDERS,
    NEU_SEG_FOLDERS,
    SD_SALIENCY_FOLDERS,
    neu_det_samples,
    neu_seg_samples,
    sd_saliency_samples,
)
from stripscan.dataset.samples import LabelKind, Sample, load
from stripscan.dataset.voc import read_voc

MM_PER_PX: Final = 0.3
"""Size of a pixel in the NEU family."""

_NAMES: Final = tuple(c.name for c in NEU_CLASSES)


def _read(samples_of: Callable[[Path], Iterator[Sample]], source: Path) -> ForeignSet:
    samples = list(samples_of(source))
    names = name_images([sample.image for sample in samples])
    images = [_foreign(sample, names[sample.image]) for sample in samples]
    return ForeignSet(
        classes=_NAMES,
        images=tuple(sorted(images, key=lambda image: image.name)),
        default_map={name: name for name in _NAMES},
        mm_per_px=MM_PER_PX,
    )


def _foreign(sample: Sample, name: str) -> ForeignImage:
    if sample.label is None:
        raise DataError(f"{sample.image}: the image has no annotation")
    if sample.kind is LabelKind.BOXES:
        return ForeignImage(name=name, path=sample.image, boxes=read_voc(sample.label))
    return ForeignImage(name=name, path=sample.image, paint=partial(_paint, sample))


def _paint(sample: Sample, canvas: Canvas) -> None:
    labelled = load(sample)
    canvas.hide(np.any(~labelled.known, axis=0))
    for name, region in zip(_NAMES, labelled.target, strict=True):
        canvas.paint(name, region)


def _format(
    name: str, folders: tuple[str, str], samples_of: Callable[[Path], Iterator[Sample]]
) -> Format:
    return Format(
        name=name,
        layout=" + ".join(f"{folder}/" for folder in folders),
        found=lambda source: all((source / folder).is_dir() for folder in folders),
        read=partial(_read, samples_of),
    )


NEU_FAMILY: Final = (
    _format("neu-det", NEU_DET_FOLDERS, neu_det_samples),
    _format("neu-seg", NEU_SEG_FOLDERS, neu_seg_samples),
    _format("sd-saliency", SD_SALIENCY_FOLDERS, sd_saliency_samples),
)
