"""Run-length masks of foreign data sets, which count down the columns.

Faults are ValueError: the caller knows file and line and says them.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""bool ``[H, W]``."""

_ZERO: Final = 48  # the character "0" stands for the bits 000000
_CHARACTERS: Final = range(_ZERO, _ZERO + 64)
_MORE: Final = 0x20
_SIGN: Final = 0x10


def mask_of_pairs(text: str, shape: tuple[int, int]) -> Mask:
    """Return the mask of ``start length start length …``, pixels counted from 1 down the columns.

    That is how Severstal's data set and other Kaggle competitions write masks.

    Args:
        text: The pairs.
        shape: Height and width in pixels.

    Raises:
        ValueError: Something else than numbers, an odd count of them, or a run that is empty,
            outside the image, overlaps the run before it or is out of order.

    Example:
        >>> mask_of_pairs("2 3", (2, 3)).astype(int).tolist()
        [[0, 1, 0], [1, 1, 0]]
    """
    fields = text.split()
    if strange := [field for field in fields if not (field.isascii() and field.isdecimal())]:
        raise ValueError(f"'{strange[0][:20]}' is no whole number")
    if len(fields) % 2:
        raise ValueError(f"{len(fields)} numbers are no pairs of start and length")
    height, width = shape
    pixels = height * width
    flat = np.zeros(pixels, bool)
    end = 0  # pixel before the next run may start, from 1
    for number, (first, size) in enumerate(zip(fields[::2], fields[1::2], strict=True), 1):
        # Longer numbers are outside of any image, and slow to convert.
        start, length = int(first[:20]), int(size[:20])
        if start < 1 or length < 1 or start + length - 1 > pixels:
            raise ValueError(
                f"run {number} ({start} {length}) is empty or outside the image of "
                f"{width} x {height} px, whose pixels are 1 to {pixels}"
            )
        if start <= end:
            raise ValueError(
                f"run {number} ({start} {length}) overlaps the run before it or is out of order"
            )
        end = start + length - 1
        flat[start - 1 : end] = True
    return flat.reshape(shape, order="F")


def mask_of_counts(counts: Sequence[int], shape: tuple[int, int]) -> Mask:
    """Return the mask of COCO's counts: pixels off, on, off … down the columns.

    Raises:
        ValueError: A count is negative, or they do not add up to the pixels of the image.

    Example:
        >>> mask_of_counts([1, 3, 2], (2, 3)).astype(int).tolist()
        [[0, 1, 0], [1, 1, 0]]
    """
    pixels = shape[0] * shape[1]
    if any(count < 0 for count in counts) or sum(counts) != pixels:
        raise ValueError(
            f"the run lengths must not be negative and must add up to the {pixels} pixels of the "
            f"image; they add up to {sum(counts)}"
        )
    on = np.arange(len(counts)) % 2 == 1
    return np.repeat(on, np.asarray(counts, np.int64)).reshape(shape, order="F")


def parse_counts(text: str) -> list[int]:
    """Return the counts of COCO's compressed run lengths.

    Each count is written in groups of five bits, lowest first, as characters from ``0`` on; from
    the fourth on it is the difference to the count two before (``rleFrString`` of pycocotools).

    Raises:
        ValueError: A character that cannot occur, or the text ends inside a number.

    Example:
        >>> parse_counts("132")
        [1, 3, 2]
    """
    counts: list[int] = []
    value = shift = 0
    for at, character in enumerate(text):
        if ord(character) not in _CHARACTERS or shift > 60:
            raise ValueError(f"character {at + 1} ({character!r}) is no compressed run length")
        bits = ord(character) - _ZERO
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & _MORE:
            continue
        if bits & _SIGN:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the compressed run lengths end inside a number")
    return counts
