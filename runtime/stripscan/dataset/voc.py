"""Reads and writes boxes as Pascal VOC annotations.

NEU-DET counts from 1 and includes the last pixel, as VOC defines it: over its 1,620 files here
the smallest coordinate is 1 (never 0) and the largest is 200 in images of 200 px. So
``xmin=1, xmax=200`` is the whole width, and becomes columns 0 up to, not including, 200.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeElementTree

from stripscan.contract.classes import CLASS_ID
from stripscan.contract.errors import DataError

UNLABELLED_NAME: Final = "unlabelled"
"""Class name of a box of which nothing is said: a defect, and none of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One labelled box.

    Attributes:
        class_name: Class of the defect.
        left: First column, from 0.
        top: First row, from 0.
        right: Column after the last.
        bottom: Row after the last.
    """

    class_name: str
    left: int
    top: int
    right: int
    bottom: int


def read_voc(path: Path) -> tuple[Box, ...]:
    """Return the boxes of our classes in one annotation file, in the order of the file.

    Raises:
        DataError: As ``read_labels``.
    """
    return read_labels(path)[0]


def read_labels(path: Path) -> tuple[tuple[Box, ...], tuple[Box, ...]]:
    """Return the boxes of our classes, and those of which nothing is said.

    Raises:
        DataError: As ``read_boxes``, or a box is of an unknown class.
    """
    boxes = read_boxes(path)
    for box in boxes:
        if box.class_name not in CLASS_ID and box.class_name != UNLABELLED_NAME:
            near = difflib.get_close_matches(box.class_name.lower(), CLASS_ID, n=1, cutoff=0.0)[0]
            raise DataError(
                f"{path}: unknown class '{box.class_name}'; did you mean '{near}'? "
                f"Valid are {', '.join(CLASS_ID)}"
            )
    ours = tuple(box for box in boxes if box.class_name != UNLABELLED_NAME)
    return ours, tuple(box for box in boxes if box.class_name == UNLABELLED_NAME)


def read_boxes(path: Path) -> tuple[Box, ...]:
    """Return all boxes of one annotation file, whatever their classes are called.

    Raises:
        DataError: The file cannot be read, is no safe XML (it declares entities or refers to
            other files), or has a box without a class, that is inverted, or that lies outside the
            size that the file states.
    """
    root = _parse(path)
    size = root.find("size")
    width = _optional_size(size, "width")
    height = _optional_size(size, "height")
    return tuple(_read_box(path, node, width, height) for node in root.iter("object"))


def voc_bytes(boxes: Iterable[Box], shape: tuple[int, int]) -> bytes:
    """Return an annotation file; class names are ours and need no escaping.

    Args:
        boxes: Boxes of our classes, or ``UNLABELLED_NAME``.
        shape: Height and width of the image in pixels.
    """
    height, width = shape
    objects = "".join(
        f"  <object>\n    <name>{box.class_name}</name>\n"
        f"    <bndbox><xmin>{box.left + 1}</xmin><ymin>{box.top + 1}</ymin>"
        f"<xmax>{box.right}</xmax><ymax>{box.bottom}</ymax></bndbox>\n  </object>\n"
        for box in boxes
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>1</depth></size>"
    return f"<annotation>\n  {size}\n{objects}</annotation>\n".encode()


def _parse(path: Path) -> Element:
    try:
        root: Element = SafeElementTree.fromstring(path.read_bytes(), forbid_dtd=False)
    except OSError as error:
        raise DataError(f"{path}: the annotation cannot be read ({error.strerror})") from error
    except ParseError as error:
        raise DataError(f"{path}: the annotation is no valid XML ({error})") from error
    except DefusedXmlException as error:
        raise DataError(
            f"{path}: the annotation is refused, because it declares XML entities or refers to "
            f"other files ({type(error).__name__}); an annotation needs neither"
        ) from error
    except (LookupError, ValueError) as error:
        raise DataError(f"{path}: the annotation has an unknown text encoding ({error})") from error
    return root


def _optional_size(size: Element | None, side: str) -> int | None:
    text = size.findtext(side) if size is not None else None
    # Some annotation programs write 0 where they do not know the size.
    return int(text) if text and text.strip().isdecimal() and int(text) > 0 else None


def _read_box(path: Path, node: Element, width: int | None, height: int | None) -> Box:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise DataError(f"{path}: a box has no class; give it a name")
    left, top, right, bottom = (
        _coordinate(path, node, side) for side in ("xmin", "ymin", "xmax", "ymax")
    )
    values = f"xmin {left}, ymin {top}, xmax {right}, ymax {bottom}"
    if right < left or bottom < top:
        raise DataError(f"{path}: the box of '{name}' is inverted ({values})")
    beyond = (width is not None and right > width) or (height is not None and bottom > height)
    if left < 1 or top < 1 or beyond:
        raise DataError(
            f"{path}: the box of '{name}' lies outside the image of {width} x {height} px "
            f"({values}; coordinates count from 1)"
        )
    return Box(class_name=name, left=left - 1, top=top - 1, right=right, bottom=bottom)


def _coordinate(path: Path, node: Element, side: str) -> int:
    text = node.findtext(f"bndbox/{side}")
    try:
        return round(float(text or ""))
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: {side} of a box is '{text}', which is no number") from error
