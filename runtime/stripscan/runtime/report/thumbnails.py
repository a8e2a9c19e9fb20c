"""Small pictures of defects, in the strip's true proportions, with the outline of the mask."""

import base64
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.rle import Runs, mask_of
from stripscan.runtime.store import Picture

SIDE_PX: Final = 256
"""Longest side of a thumbnail."""

_JPEG_QUALITY: Final = 82
_INSIDE: Final = 24
_OUTLINE_TOLERANCE_PX: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A picture to be put into a page.

    Attributes:
        uri: ``data:`` URI of a JPEG.
        width: Its width in pixels.
        height: Its height in pixels.
        outline: SVG path around the mask, in its pixels; empty where there is no mask.
    """

    uri: str
    width: int
    height: int
    outline: str


def thumbnail(
    picture: Picture, mask: Runs, *, mm_per_px: float, mm_per_line: float
) -> Thumbnail | None:
    """Return the thumbnail of a defect; none where its picture cannot be decoded.

    Args:
        picture: What the camera saw.
        mask: int64 ``[n, 3]``, in lines and columns of the coil.
        mm_per_px: Pitch across in mm.
        mm_per_line: Pitch along in mm.
    """
    image = cv2.imdecode(np.frombuffer(picture.image_png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        return None
    across_mm, along_mm = picture.width * mm_per_px, picture.lines * mm_per_line
    scale = SIDE_PX / max(across_mm, along_mm)
    size = max(1, round(across_mm * scale)), max(1, round(along_mm * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return Thumbnail(
        uri=f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}",
        width=size[0],
        height=size[1],
        outline=_outline(picture, mask, size),
    )


def _outline(picture: Picture, mask: Runs, size: tuple[int, int]) -> str:
    if not len(mask):
        return ""
    window = mask_of(
        mask - np.array([0, picture.first_px, picture.first_px], np.int64),
        first_line=picture.first_line,
        lines=picture.lines,
        width=picture.width,
    )
    # Area averaging with a low threshold keeps a scratch of one pixel that nearest neighbour loses.
    small = cv2.resize(window * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    inside = (small > _INSIDE).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return "".join(_path(cv2.approxPolyDP(c, _OUTLINE_TOLERANCE_PX, closed=True)) for c in contours)


def _path(contour: NDArray[Any]) -> str:
    points = contour.reshape(-1, 2)
    # Pixel centres lie half a pixel in.
    return "M" + "L".join(f"{x}.5 {y}.5" for x, y in points.tolist()) + "Z"
