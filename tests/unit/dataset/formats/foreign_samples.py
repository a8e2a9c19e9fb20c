"""Tiny data sets in each format, made by hand, and how a reader's work is looked at."""

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.dataset.formats.canvas import Canvas
from stripscan.dataset.formats.classmap import TARGETS, resolve
from stripscan.dataset.formats.foreign import ForeignSet


def picture(path: Path, *, height: int = 4, width: int = 6, value: int = 40) -> Path:
    return pixels(path, np.full((height, width), value, np.uint8))


def pixels(path: Path, values: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), values)
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def painted(
    foreign: ForeignSet, name: str, shape: tuple[int, int], given: Mapping[str, str] | None = None
) -> NDArray[np.uint8]:
    """Return the mask that a reader makes of one image."""
    ids = {theirs: TARGETS[ours] for theirs, ours in resolve(foreign, given or {}).items()}
    (image,) = (image for image in foreign.images if image.name == name)
    canvas = Canvas(shape, ids)
    assert image.paint is not None
    image.paint(canvas)
    return canvas.mask()


def severstal(folder: Path, rows: str, *, images: tuple[str, ...] = ("a", "b")) -> Path:
    for name in images:
        picture(folder / f"train_images/{name}.png", height=256, width=1600)
    text(folder / "train.csv", rows)
    return folder


SQUARE = [1, 0, 3, 0, 3, 2, 1, 2]
"""Columns 1 and 2 of rows 0 and 1."""


def coco(folder: Path, *annotations: object, **changes: object) -> Path:
    """Write one image of 6 x 4 px, ``a.png``, and one more, ``b.png``, without annotations."""
    for name in ("a", "b"):
        picture(folder / f"images/{name}.png")
    document = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 6, "height": 4},
            {"id": 2, "file_name": "b.png", "width": 6, "height": 4},
        ],
        "categories": [{"id": 7, "name": "Scratches"}, {"id": 8, "name": "dent"}],
        "annotations": list(annotations),
    }
    text(folder / "annotations/instances.json", json.dumps(document | changes))
    return folder


def marked(segmentation: object = None, **changes: object) -> dict[str, object]:
    """Return an annotation of the first image."""
    outline = [SQUARE] if segmentation is None else segmentation
    return {"id": 5, "image_id": 1, "category_id": 7, "segmentation": outline} | changes


def yolo(folder: Path, label: str | None, *, names: str = "[Scratches, dent]") -> Path:
    picture(folder / "images/train/a.png")
    picture(folder / "images/train/b.png")
    text(folder / "data.yaml", f"path: .\nnames: {names}\n")
    if label is not None:
        text(folder / "labels/train/a.txt", label)
    return folder


def voc_text(*boxes: tuple[str, int, int, int, int]) -> str:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax>"
        f"<ymax>{y2}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2 in boxes
    )
    return f"<annotation><filename>../../x</filename>{objects}</annotation>"


def voc(folder: Path, *boxes: tuple[str, int, int, int, int]) -> Path:
    picture(folder / "JPEGImages/a.png")
    text(folder / "Annotations/a.xml", voc_text(*boxes))
    return folder


def masks(folder: Path, rows: list[list[int]]) -> Path:
    picture(folder / "images/a.bmp", height=len(rows), width=len(rows[0]))
    pixels(folder / "masks/a.png", np.array(rows, np.uint8))
    return folder
