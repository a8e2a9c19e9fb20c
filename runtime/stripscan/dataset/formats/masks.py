"""A folder of images and a folder of masks, whose values the user maps; and stripscan's own layout.

Masks are PNG with one channel: 0 is background, 255 unlabelled, unless 255 is mapped. Where all
other values are 1 to 6 they count as stripscan's class ids. ``boxes/`` may hold VOC files.
"""

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from stripscan.contract.classes import BACKGROUND, NEU_CLASSES
from stripscan.contract.errors import DataError
from stripscan.dataset.formats.canvas import UNLABELLED, Canvas
from stripscan.dataset.formats.foreign import (
    ForeignImage,
    ForeignSet,
    Format,
    name_images,
    pictures_in,
    same_names,
)
from stripscan.dataset.images import read_ids
from stripscan.dataset.voc import read_boxes

_IMAGES: Final = "images"
_MASKS: Final = "masks"
_BOXES: Final = "boxes"


def _found(source: Path) -> bool:
    labels = (source / _MASKS).is_dir() or any((source / _BOXES).glob("*.xml"))
    return labels and (source / _IMAGES).is_dir()


def _read(source: Path) -> ForeignSet:
    paths = pictures_in(source / _IMAGES)
    names = name_images(paths)
    values: set[int] = set()
    boxed: dict[str, None] = {}
    images: list[ForeignImage] = []
    for path in paths:
        inside = path.relative_to(source / _IMAGES)
        mask = source / _MASKS / inside.with_suffix(".png")
        voc = source / _BOXES / inside.with_suffix(".xml")
        boxes = read_boxes(voc) if voc.is_file() else None
        if not mask.is_file() and boxes is None:
            raise DataError(f"{path}: the image has no annotation; expected {mask}")
        if mask.is_file():
            values |= set(np.unique(read_ids(mask)).tolist())
        boxed |= dict.fromkeys(box.class_name for box in boxes or ())
        paint = partial(paint_values, mask) if mask.is_file() else None
        images.append(ForeignImage(name=names[path], path=path, paint=paint, boxes=boxes))
    ids = {c.id: c.name for c in NEU_CLASSES}
    values -= {BACKGROUND}
    ours = values <= {*ids, UNLABELLED}
    by_value = {str(v): ids[v] for v in values if ours and v in ids}
    return ForeignSet(
        classes=(*map(str, sorted(values)), *boxed),
        images=tuple(images),
        default_map=by_value | same_names(tuple(boxed)),
        replace_default=True,
    )


def paint_values(path: Path, canvas: Canvas) -> None:
    """Paint a mask whose classes are called by their values.

    Raises:
        DataError: It cannot be read, or has another size than its image.
    """
    mask = read_ids(path)
    if mask.shape != canvas.shape:
        height, width = canvas.shape
        raise DataError(
            f"{path}: the mask has {mask.shape[1]} x {mask.shape[0]} px, its image {width} x "
            f"{height} px; export it in the size of the image"
        )
    for value in np.unique(mask).tolist():
        if value != BACKGROUND:
            canvas.paint(str(value), mask == value)


MASKS: Final = Format(
    name="masks",
    layout="images/ + masks/NAME.png, with values as classes",
    found=_found,
    read=_read,
)
