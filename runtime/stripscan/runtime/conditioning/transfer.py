"""From the camera's 10 to 16 bits to the 8 that the model takes, by a stated curve."""

import math
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import DataError

Bits = Literal[8, 10, 12, 14, 16]
"""Bits of a camera's grey values."""

Transfer = Literal["linear", "sqrt"]
"""Curve from more than 8 bits to 8."""

_VALUES = 1 << 16


def to_uint8(
    pixels: NDArray[np.uint16], *, bits: int, transfer: Transfer = "linear"
) -> NDArray[np.uint8]:
    """Return grey values of 8 bits.

    With ``full = 2**bits - 1``, and halves rounded up:

    * ``linear``: ``255 * v / full``.
    * ``sqrt``: ``255 * sqrt(v / full)``. Photons arrive with a noise that is the square root of
      their number, so that after this curve the noise is the same at every grey and the steps are
      finest in the dark (the variance-stabilising root of a Poisson count: M. S. Bartlett,
      Supplement to the J. R. Stat. Soc. 3 (1936) 68–78). Values 0 to 3 of 12 bits, one grey in
      ``linear``, become 0, 4, 6 and 7.

    Args:
        pixels: uint16 of any shape, 0 to ``full``.
        bits: 8 to 16.
        transfer: The curve.

    Returns:
        uint8 of the same shape; ``full`` becomes 255.

    Raises:
        DataError: A value needs more than ``bits``.
    """
    highest = int(pixels.max(initial=0))
    if highest >= 1 << bits:
        raise DataError(
            f"the image has the grey value {highest}, more than {bits} bits hold "
            f"(0 to {(1 << bits) - 1}): set [camera] bits to what the camera delivers"
        )
    # "clip" looks nothing up outside the table either, and is twice as fast as the default.
    return np.take(_table(bits, transfer), pixels, mode="clip")


@lru_cache(maxsize=8)
def _table(bits: int, transfer: Transfer) -> NDArray[np.uint8]:
    full = (1 << bits) - 1
    if transfer == "linear":
        curve = [(510 * value + full) // (2 * full) for value in range(full + 1)]
    else:
        curve = [math.floor(255 * math.sqrt(value / full) + 0.5) for value in range(full + 1)]
    return np.asarray(curve, np.uint8)
