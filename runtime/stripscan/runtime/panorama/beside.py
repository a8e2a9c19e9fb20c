"""Cameras that see nothing because the strip does not reach them."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from stripscan.runtime.grey import DARK_GREY
from stripscan.runtime.panorama.geometry import Pixels

_SEAM_PX = 4


def look_past_the_strip(
    pixels: Pixels,
    columns: Sequence[slice],
    dark: Mapping[int, Pixels],
    blind: Collection[int],
) -> tuple[int, ...]:
    """Return which dark cameras look past the strip, and put their darkness in the picture.

    A narrow strip does not reach the outer cameras of a line, which are as dark then as with a
    lens that is covered. The camera beside one tells: where it is dark at the seam as well, the
    strip has ended before; where it is lit there, so must be the other's first columns.

    Args:
        pixels: uint8 ``[lines, width]``, a picture of one surface or more; changed.
        columns: The columns of the surface's cameras, from left to right.
        dark: What the dark cameras see, uint8 ``[lines, columns]``, by their place.
        blind: Places of cameras of which nothing is known.
    """
    found: list[int] = []
    for places in (range(len(columns)), reversed(range(len(columns)))):
        inner: int | None = None
        for place in places:
            if place in dark and place not in found:
                if inner is None or not _past(pixels, columns, inner, place, dark[place]):
                    inner = None
                    continue
                pixels[:, columns[place]] = dark[place]
                found.append(place)
            inner = None if place in blind else place
    return tuple(found)


def _past(pixels: Pixels, columns: Sequence[slice], inner: int, outer: int, seen: Pixels) -> bool:
    metal = pixels[:, columns[inner]]
    if outer > inner:
        last, first = metal[:, -_SEAM_PX:], seen[:, :_SEAM_PX]
    else:
        last, first = metal[:, :_SEAM_PX], seen[:, -_SEAM_PX:]
    return not _lit(last) or _lit(first)


def _lit(pixels: Pixels) -> bool:
    return bool(np.median(pixels) >= DARK_GREY)
