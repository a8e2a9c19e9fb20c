"""YOLO segmentation: ``data.yaml`` with the names, ``images/`` and a text file an image.

A line is ``class x1 y1 x2 y2 …`` with coordinates as shares of width and height. An image whose
text file is empty or missing shows no defect.
"""

from functools import partial
from pathlib import Path
from typing import Final

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.canvas import Canvas
from stripscan.dataset.formats.foreign import (
    ForeignImage,
    ForeignSet,
    Format,
    name_images,
    pictures_in,
    same_names,
)
from stripscan.dataset.formats.polygons import fill_polygon
from stripscan.dataset.formats.yolo_names import read_names

_BOX_FIELDS: Final = 5
_IMAGES: Final = "images"
_LABELS: Final = "labels"
_LISTS: Final = frozenset({"classes.txt"})  # labelling programs put the names beside the labels


def _names_file(source: Path) -> Path | None:
    files = [source / name for name in ("data.yaml", "data.yml", "dataset.yaml")]
    return next((file for file in files if file.is_file()), None)


def _read(source: Path) -> ForeignSet:
    file = _names_file(source)
    if file is None:
        raise DataError(f"{source}: there is no data.yaml, which names the classes")
    classes = read_names(file)
    paths = [p for p in pictures_in(source) if _IMAGES in p.relative_to(source).parts[:-1]]
    if not paths:
        raise DataError(f"{source}: there are no images in a folder 'images'")
    labels = {path: _label_of(path, source) for path in paths}
    _check_labels(source, set(labels.values()))
    names = name_images(paths)
    images = [
        ForeignImage(name=names[p], path=p, paint=partial(_paint, labels[p], classes))
        for p in paths
    ]
    return ForeignSet(classes=classes, images=tuple(images), default_map=same_names(classes))


def _label_of(image: Path, source: Path) -> Path:
    """Return the text file of an image: the last ``images`` of its path becomes ``labels``."""
    parts = list(image.relative_to(source).with_suffix(".txt").parts)
    parts[len(parts) - 1 - parts[::-1].index(_IMAGES)] = _LABELS
    return source.joinpath(*parts)


def _check_labels(source: Path, expected: set[Path]) -> None:
    found = {
        path
        for path in source.rglob("*.txt")
        if _LABELS in path.relative_to(source).parts[:-1] and path.name not in _LISTS
    }
    if not found:
        raise DataError(f"{source}: there are no text files in a folder '{_LABELS}'")
    if orphans := sorted(found - expected):
        raise DataError(
            f"{orphans[0]}: there is no image of this label; remove it or add the image"
        )


def _paint(label: Path, classes: tuple[str, ...], canvas: Canvas) -> None:
    if not label.is_file():
        return
    try:
        lines = label.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{label}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{label}: is no text in UTF-8 ({error.reason})") from error
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        try:
            theirs = _class_of(fields[0], classes)
            region = fill_polygon(_pixels(fields[1:], canvas.shape), canvas.shape)
        except ValueError as error:
            raise DataError(f"{label}, line {number}: {error}; correct the line") from error
        canvas.paint(theirs, region)


def _class_of(field: str, classes: tuple[str, ...]) -> str:
    if not (field.isascii() and field.isdecimal()) or int(field[:9]) >= len(classes):
        raise ValueError(
            f"the class is '{field}'; data.yaml names 0 to {len(classes) - 1}: {', '.join(classes)}"
        )
    return classes[int(field)]


def _pixels(fields: list[str], shape: tuple[int, int]) -> list[float]:
    if len(fields) == _BOX_FIELDS - 1:
        raise ValueError("it has a box, and a box is no mask; export polygons")
    height, width = shape
    shares = [float(field) for field in fields]
    return [share * (height if i % 2 else width) for i, share in enumerate(shares)]


YOLO: Final = Format(
    name="yolo",
    layout="data.yaml + images/ + labels/, or data.yaml + PART/images + PART/labels",
    found=lambda source: _names_file(source) is not None,
    read=_read,
)
