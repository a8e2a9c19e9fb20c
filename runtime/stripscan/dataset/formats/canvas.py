"""The mask of one image while labels are painted on it."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import BACKGROUND

UNLABELLED: Final = 255
"""Id of pixels of which the prepared mask says nothing."""


class Canvas:
    """A mask of class ids, painted object by object.

    A mask holds one class a pixel: where objects of two classes overlap, it says nothing. A
    labelled object lies over what is unlabelled.

    Args:
        shape: Height and width in pixels.
        ids: Id of each of their classes: 1-6, ``BACKGROUND`` or ``UNLABELLED``.
    """

    def __init__(self, shape: tuple[int, int], ids: Mapping[str, int]) -> None:
        self.shape: Final = shape
        self._ids = ids
        self._mask = np.zeros(shape, np.uint8)
        self._hidden = np.zeros(shape, bool)

    def paint(self, theirs: str, region: NDArray[np.bool_]) -> None:
        """Paint an object of one of their classes; ``region`` is ``[H, W]``."""
        value = self._ids[theirs]
        if value == BACKGROUND:
            return
        if value == UNLABELLED:
            self.hide(region)
            return
        contested = region & (self._mask != BACKGROUND) & (self._mask != value)
        self._mask[region] = value
        self._mask[contested] = UNLABELLED

    def hide(self, region: NDArray[np.bool_]) -> None:
        """Say nothing of a region ``[H, W]``, where no object is."""
        self._hidden |= region

    def mask(self) -> NDArray[np.uint8]:
        """Return the mask, uint8 ``[H, W]``."""
        mask = self._mask.copy()
        mask[self._hidden & (mask == BACKGROUND)] = UNLABELLED
        return mask
