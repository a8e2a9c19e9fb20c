"""Brings copies of one picture into the same orientation.

A picture has eight: ``turn // 2`` quarter turns anticlockwise, then mirrored left to right where
``turn`` is odd.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

TURNS: Final = range(8)

_SIDE = 64
_SLOW_SIGMA_PX = 6.4  # 20 px in a picture of 200 px, as the comparison of sources has it
_FLAT_LEVELS = 0.1  # grey levels of contrast; below it there is only rounding to compare

Floats = NDArray[np.float32]


def small(image: NDArray[np.uint8]) -> Floats:
    """Return a picture without slow brightness, float32 ``[64, 64]``, of zero mean and unit norm.

    It is zero where the picture is flat.
    """
    shrunk = cv2.resize(image.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    detail = shrunk - cv2.GaussianBlur(shrunk, (0, 0), _SLOW_SIGMA_PX)
    detail -= detail.mean()
    norm = float(np.linalg.norm(detail))
    return np.asarray(detail / norm if norm >= _FLAT_LEVELS * _SIDE else 0 * detail, np.float32)


def turned(array: NDArray[Any], turn: int) -> NDArray[Any]:
    """Return an array ``[H, W]`` in one of the eight orientations."""
    rotated = np.rot90(array, turn // 2)
    return rotated[:, ::-1] if turn % 2 else rotated


def best_turn(reference: Floats, other: Floats) -> tuple[int, float]:
    """Return the turn that brings ``other`` onto ``reference``, and their correlation then.

    Both are from ``small``. The correlation is -1 to 1, and 0 where one of them is flat.
    """
    alike = [float(np.vdot(reference, turned(other, turn))) for turn in TURNS]
    best = int(np.argmax(alike))
    return best, alike[best]
