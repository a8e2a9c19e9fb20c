"""Which columns of a surface's picture are whose, and how they come from the camera's own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import ConfigError

Pixels = NDArray[np.uint8]

_SAME_PX = 1e-3
"""Columns that lie off the grid by less are on it."""

_SCALE = 256  # weights of 8 bits: a pixel has no more
_ROWS = 32  # so many lines stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one camera sees, across the line.

    Attributes:
        camera: Its name.
        left_mm: Left end of its view.
        width_px: Its columns.
        mm_per_px: Their pitch in mm.
        mirrored: Whether its first column is at the right end.
    """

    camera: str
    left_mm: float
    width_px: int
    mm_per_px: float
    mirrored: bool

    @property
    def right_mm(self) -> float:
        """Right end of its view."""
        return self.left_mm + self.width_px * self.mm_per_px


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """The columns of a picture that one camera owns.

    Attributes:
        camera: Its name.
        start: First column of the picture.
        stop: Column after the last.
        nearer: int64 ``[stop - start]``: the camera's column at or before the place of each.
        farther: int64 ``[stop - start]``: its column behind that place.
        weight: uint16 ``[stop - start]``: share of ``farther`` in 1/256, below 256.
    """

    camera: str
    start: int
    stop: int
    nearer: NDArray[np.int64]
    farther: NDArray[np.int64]
    weight: NDArray[np.uint16]

    @property
    def columns(self) -> slice:
        """Its columns of the picture."""
        return slice(self.start, self.stop)

    @property
    def plain(self) -> slice | None:
        """The camera's columns, where those of the picture are copies of them."""
        if self.weight.any():
            return None
        first, last = int(self.nearer[0]), int(self.nearer[-1])
        if last < first:
            return slice(first, last - 1 if last else None, -1)
        return slice(first, last + 1)

    def write(self, pixels: Pixels, target: Pixels) -> None:
        """Put lines of the camera into the picture.

        Args:
            pixels: uint8 ``[lines, width]`` of the camera.
            target: uint8 ``[lines, stop - start]``: its columns of the picture; written to.
        """
        plain = self.plain
        if plain is not None:
            target[:] = pixels[:, plain]
            return
        for top in range(0, len(pixels), _ROWS):
            rows = pixels[top : top + _ROWS]
            near = np.take(rows, self.nearer, axis=1).astype(np.uint16)
            near *= _SCALE - self.weight
            near += np.take(rows, self.farther, axis=1) * self.weight
            near += _SCALE // 2
            near >>= 8
            target[top : top + _ROWS] = near

    def spread(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the camera's columns have, float32 ``[width]``, for those of the picture."""
        share = (self.weight / _SCALE).astype(np.float32)
        result: NDArray[np.float32] = values[self.nearer] * (1 - share)
        return result + values[self.farther] * share


def share_out(surface: str, views: Sequence[View], *, mm_per_px: float) -> tuple[Share, ...]:
    """Return who owns which columns of a surface's picture, from left to right.

    The picture begins where the first view does. Where two views overlap the seam is in the
    middle: there both see the metal, however the strip wanders.

    Args:
        surface: Its name, for messages.
        views: Its cameras, in any order.
        mm_per_px: Pitch of the picture in mm.

    Raises:
        ConfigError: Between two views is metal that nobody sees, or one adds nothing.
    """
    ordered = sorted(views, key=lambda view: (view.left_mm, view.right_mm))
    for left, right in pairwise(ordered):
        _check_overlap(surface, left, right, slack_mm=_SAME_PX * mm_per_px)
    start_mm = ordered[0].left_mm
    seams_mm = [(left.right_mm + right.left_mm) / 2 for left, right in pairwise(ordered)]
    bounds = [math.floor((seam_mm - start_mm) / mm_per_px + 0.5) for seam_mm in seams_mm]
    width = int((ordered[-1].right_mm - start_mm) / mm_per_px + _SAME_PX)
    for view, (first, stop) in zip(ordered, pairwise([0, *bounds, width]), strict=True):
        if stop <= first:
            raise ConfigError(
                f'camera "{view.camera}" on the {surface} surface has no column of its own: those '
                "beside it overlap; leave it out, or move it"
            )
    return tuple(
        _share(view, first, stop, start_mm=start_mm, mm_per_px=mm_per_px)
        for view, (first, stop) in zip(ordered, pairwise([0, *bounds, width]), strict=True)
    )


def _check_overlap(surface: str, left: View, right: View, *, slack_mm: float) -> None:
    names = f'cameras "{left.camera}" and "{right.camera}" on the {surface} surface'
    gap_mm = right.left_mm - left.right_mm
    if gap_mm > slack_mm:
        raise ConfigError(
            f"between {names} are {gap_mm:.6g} mm that no camera sees: left_mm = "
            f"{right.left_mm:g} lies right of {left.right_mm:.6g} mm, the end of a view of "
            f"{left.width_px} px by {left.mm_per_px:g} mm"
        )
    if right.right_mm <= left.right_mm + slack_mm:
        raise ConfigError(
            f'of {names} the second sees nothing that the first does not: "{left.camera}" '
            f"reaches from {left.left_mm:g} to {left.right_mm:.6g} mm"
        )


def _share(view: View, first: int, stop: int, *, start_mm: float, mm_per_px: float) -> Share:
    middles_mm = start_mm + (np.arange(first, stop) + 0.5) * mm_per_px
    place = (middles_mm - view.left_mm) / view.mm_per_px - 0.5
    whole = np.rint(place)
    place = np.where(np.abs(place - whole) < _SAME_PX, whole, place)
    place = np.clip(place, 0, view.width_px - 1)
    nearer = np.floor(place).astype(np.int64)
    weight = np.rint((place - nearer) * _SCALE).astype(np.uint16)
    nearer = np.where(weight == _SCALE, nearer + 1, nearer)
    weight[weight == _SCALE] = 0
    farther = np.minimum(nearer + 1, view.width_px - 1)
    if view.mirrored:
        nearer, farther = view.width_px - 1 - nearer, view.width_px - 1 - farther
    return Share(
        camera=view.camera, start=first, stop=stop, nearer=nearer, farther=farther, weight=weight
    )
