"""Images at reduced resolution, as the gate is trained on them and sees them."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

REDUCTION: Final = 4
"""How many pixels become one, along and across."""

Planes = NDArray[np.uint8]
"""uint8 ``[2, H / 4, W / 4]``: mean grey, and how rough the metal is."""


def reduced(pixels: NDArray[np.uint8]) -> Planes:
    """Return mean and roughness of four by four pixels.

    Roughness is the sum of the steps to the next pixel along and across in the halved image, four
    of which are summed up and cut off at 510 before they are halved: texture that the mean no
    longer shows. The image is halved twice: OpenCV averages two by two pixels ten times as fast as
    four by four. Each halving rounds to whole grey levels.

    Args:
        pixels: uint8 ``[H, W]``, sides multiples of 8.
    """
    half = _halved(pixels)
    steps = np.zeros_like(half)
    cv2.absdiff(half[1:], half[:-1], dst=steps[:-1])
    across = cv2.absdiff(half[:, 1:], half[:, :-1])
    inner = steps[:, :-1]
    cv2.add(inner, across, dst=inner)
    cv2.add(steps, steps, dst=steps)
    return np.stack([_halved(half), _halved(steps)])


def _halved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    lines, width = pixels.shape
    size = (width // 2, lines // 2)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
