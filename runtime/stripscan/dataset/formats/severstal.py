"""Severstal's steel defects: ``train.csv`` with run lengths, and ``train_images/``.

Newer copies have the columns ``ImageId,ClassId,EncodedPixels`` and rows for defects alone; older
ones ``ImageId_ClassId,EncodedPixels`` and a row for every image and class, mostly empty. An image
without a run is clean metal.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
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
)
from stripscan.dataset.formats.runs import mask_of_pairs

CLASSES: Final = ("1", "2", "3", "4")
HEIGHT_PX: Final = 256
WIDTH_PX: Final = 1600

_TABLE: Final = "train.csv"
_IMAGES: Final = "train_images"
_NEW: Final = ["ImageId", "ClassId", "EncodedPixels"]
_OLD: Final = ["ImageId_ClassId", "EncodedPixels"]

_NOTE: Final = (
    "Severstal's classes 1 to 4 have no official names, so none of them is mapped unless you say "
    "what it is; the images without a defect are clean metal either way"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    line: int
    image: str
    class_id: str
    runs: str


def _found(source: Path) -> bool:
    return (source / _TABLE).is_file() and (source / _IMAGES).is_dir()


def _read(source: Path) -> ForeignSet:
    table = source / _TABLE
    rows: dict[str, list[_Row]] = defaultdict(list)
    try:
        # utf-8-sig: spreadsheet programs put a mark before the first column.
        with table.open(encoding="utf-8-sig", newline="") as file:
            for row in _rows(table, file):
                if any(row.class_id == other.class_id for other in rows[row.image]):
                    raise DataError(
                        f"{table}, line {row.line}: class {row.class_id} of {row.image} has a row "
                        f"already; join the two"
                    )
                rows[row.image].append(row)
    except OSError as error:
        raise DataError(f"{table}: cannot be read ({error.strerror})") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{table}: is no CSV file in UTF-8 ({error})") from error
    paths = pictures_in(source / _IMAGES)
    _check_images(table, rows, paths)
    names = name_images(paths)
    images = [
        ForeignImage(name=names[p], path=p, paint=partial(_paint, table, rows.get(p.name, [])))
        for p in paths
    ]
    return ForeignSet(classes=CLASSES, images=tuple(images), note=_NOTE)


def _rows(table: Path, file: Iterator[str]) -> Iterator[_Row]:
    reader = csv.reader(file)
    header = [name.strip() for name in next(reader, [])]
    if header not in (_NEW, _OLD):
        raise DataError(
            f"{table}, line 1: the columns are {','.join(header) or 'missing'}; expected "
            f"{','.join(_NEW)} or {','.join(_OLD)}"
        )
    for fields in reader:
        place = f"{table}, line {reader.line_num}"
        if not fields:
            continue
        if len(fields) != len(header):
            raise DataError(f"{place}: has {len(fields)} fields, the header has {len(header)}")
        image, class_id = fields[0].rpartition("_")[::2] if header == _OLD else fields[:2]
        if class_id not in CLASSES:
            raise DataError(
                f"{place}: the class of '{image}' is '{class_id}'; Severstal's are 1 to 4"
            )
        yield _Row(line=reader.line_num, image=image, class_id=class_id, runs=fields[-1])


def _check_images(table: Path, rows: dict[str, list[_Row]], paths: list[Path]) -> None:
    there = {path.name for path in paths}
    for image, of_image in rows.items():
        if image not in there:
            raise DataError(
                f"{table}, line {of_image[0].line}: {image} is not in {_IMAGES}/; copy the images "
                f"again, or remove the row"
            )


def _paint(table: Path, rows: list[_Row], canvas: Canvas) -> None:
    height, width = canvas.shape
    if (height, width) != (HEIGHT_PX, WIDTH_PX):
        raise DataError(
            f"the image has {width} x {height} px, Severstal's have {WIDTH_PX} x {HEIGHT_PX} px, "
            f"and its run lengths fit no other size; take the original"
        )
    for row in rows:
        try:
            region = mask_of_pairs(row.runs, canvas.shape)
        except ValueError as error:
            raise DataError(f"{table}, line {row.line}: {error}; correct the row") from error
        canvas.paint(row.class_id, region)


SEVERSTAL: Final = Format(
    name="severstal", layout=f"{_TABLE} + {_IMAGES}/", found=_found, read=_read
)
