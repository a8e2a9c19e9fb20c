"""Images at reduced resolution, as the gate is trained on them and sees them."""

import cv2
import numpy as np
from numpy.typing import NDArray


def reduced(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Return an image whose every pixel is the mean of ``factor`` by ``factor`` pixels.

    It is halved again and again: OpenCV averages two by two pixels ten times as fast as four by
    four. Each halving rounds to whole grey levels.

    Args:
        pixels: uint8 ``[H, W]``, sides multiples of ``factor``.
        factor: A power of two.

    Returns:
        uint8 ``[H / factor, W / factor]``.
    """
    while factor > 1:
        lines, width = pixels.shape
        halved = cv2.resize(pixels, (width // 2, lines // 2), interpolation=cv2.INTER_AREA)
        pixels = np.asarray(halved, np.uint8)
        factor //= 2
    return pixels
