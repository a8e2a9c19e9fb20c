"""Masks drawn over metal."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import DefectClass

Picture = NDArray[np.uint8]
"""uint8 ``[H, W, 3]``, blue, green, red, as OpenCV has it."""

_FILL = 0.35
_CAPTION_PX = 18


def bgr(colour: str) -> tuple[int, int, int]:
    """Return ``#rrggbb`` as blue, green, red.

    Example:
        >>> bgr("#0102ff")
        (255, 2, 1)
    """
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)


def overlay(
    image: NDArray[np.uint8], planes: NDArray[np.bool_], classes: Sequence[DefectClass]
) -> Picture:
    """Return the image with each class tinted and outlined in its colour.

    Args:
        image: uint8 ``[H, W]``.
        planes: bool ``[C, H, W]``; plane ``i`` belongs to ``classes[i]``; they may overlap.
        classes: The classes.
    """
    picture = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    for plane, kind in zip(planes, classes, strict=True):
        if not plane.any():
            continue
        tint = (1 - _FILL) * picture[plane] + _FILL * np.asarray(bgr(kind.colour))
        picture[plane] = tint.astype(np.uint8)
        contours, _ = cv2.findContours(
            plane.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
        )
        cv2.drawContours(picture, contours, -1, bgr(kind.colour), 1)
    return picture


def side_by_side(pictures: Sequence[tuple[str, Picture]], *, scale: int = 1) -> Picture:
    """Return pictures of one size in a row, enlarged by ``scale``, each under its caption."""
    shown = []
    for caption, picture in pictures:
        large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        head = np.full((_CAPTION_PX, large.shape[1], 3), 32, np.uint8)
        cv2.putText(
            head, caption, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA
        )
        shown.append(np.concatenate([head, large]))
    gap = np.full((shown[0].shape[0], 4, 3), 32, np.uint8)
    row = [part for picture in shown for part in (picture, gap)][:-1]
    return np.concatenate(row, axis=1)
