"""The seam between scoring and whatever segments: a bundle, a checkpoint or a baseline."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """What is seen in one image.

    Attributes:
        mask: uint8 ``[H, W]`` class ids, 0 for background.
        score: uint8 ``[H, W]``, 0-255: confidence of the class in ``mask``.
        boxes: bool ``[6, H, W]``, what a second head that learned filled boxes predicts; None
            where there is no such head, and the mask is held against the boxes.
    """

    mask: NDArray[np.uint8]
    score: NDArray[np.uint8]
    boxes: NDArray[np.bool_] | None = None


Segment = Callable[[NDArray[np.uint8]], Segmented]
"""Segments one image, uint8 ``[H, W]``."""
