"""Polygons to pixels. Faults are ValueError: the caller knows file and line and says them."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

OVERSHOOT_PX: Final = 1.0
"""How far a polygon may reach beyond its image; annotation programs round."""

_FINE: Final = 4  # steps in a pixel


def fill_polygon(numbers: Sequence[float], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels whose centre lies in a polygon.

    Coordinates are continuous, as in COCO and YOLO: a pixel in column ``i`` reaches from ``i`` to
    ``i + 1``. OpenCV fills polygons of whole pixels and adds their border, which would make each
    object a pixel wider; so the polygon is drawn four times as large and read at the centres.

    Args:
        numbers: ``x1 y1 x2 y2 …`` in pixels.
        shape: Height and width of the image in pixels.

    Returns:
        bool ``[H, W]``. An object too thin to hold any centre keeps the pixels it runs through.

    Raises:
        ValueError: Fewer than three points, an odd count of numbers, one that is not finite, or
            the polygon reaches more than ``OVERSHOOT_PX`` out of the image.

    Example:
        >>> fill_polygon([1, 0, 3, 0, 3, 2, 1, 2], (3, 4)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    height, width = shape
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError(f"{len(numbers)} numbers are no polygon; it needs x and y of 3 points")
    points = np.asarray(numbers, np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError("a coordinate is no finite number")
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    if min(left, top, width - right, height - bottom) < -OVERSHOOT_PX:
        raise ValueError(
            f"the object reaches from {left:.1f}, {top:.1f} to {right:.1f}, {bottom:.1f} px (x, y) "
            f"and so out of the image of {width} x {height} px"
        )
    points = points.clip((0, 0), (width, height))
    region = np.zeros(shape, bool)
    start = np.minimum(np.floor(points.min(axis=0)), (width - 1, height - 1)).astype(int)
    stop = np.maximum(np.ceil(points.max(axis=0)), start + 1).astype(int)
    local = points - start
    size = (int(stop[1] - start[1]), int(stop[0] - start[0]))
    window = region[start[1] : stop[1], start[0] : stop[0]]
    window |= _drawn(local * _FINE, (size[0] * _FINE, size[1] * _FINE))[2::_FINE, 2::_FINE]
    if not window.any():
        window |= _drawn(local - 0.5, size)
    return region


def _drawn(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return what OpenCV fills, border included."""
    drawn = np.zeros(shape, np.uint8)
    cv2.fillPoly(drawn, [np.rint(points).astype(np.int32)], (1,))
    return drawn.astype(bool)
