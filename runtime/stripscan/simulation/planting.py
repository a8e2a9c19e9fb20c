"""Where the defects of a strip go: inside it, apart from each other, some across block borders."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import ConfigError
from stripscan.simulation.defects import CLASS_NAMES, random_box
from stripscan.simulation.spec import StripSpec

GAP_PX: Final = 40
"""Least distance between the boxes of two defects, in pixels and lines."""

_BORDER_LINES = 256  # the borders that defects are put across: usual blocks,
_BORDER_PX = 224  # and usual tiles
_EDGE_MARGIN_PX = 4
_TRIES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Planting:
    """A defect to be drawn.

    Attributes:
        number: From 1, in the order of the boxes' first lines.
        class_name: Machine name of its class.
        seed: What its shape is drawn from.
        top: First line of its box.
        left: First column of its box.
        lines: Height of its box.
        width: Width of its box.
    """

    number: int
    class_name: str
    seed: tuple[int, int, int]
    top: int
    left: int
    lines: int
    width: int


def plant(spec: StripSpec) -> tuple[Planting, ...]:
    """Return the boxes of all defects, in the order of their first lines.

    Raises:
        ConfigError: The strip has no room for so many.
    """
    left_px = int(np.ceil((spec.width_px - spec.strip_px) / 2 + spec.wander_px)) + _EDGE_MARGIN_PX
    room_px = spec.width_px - 2 * left_px
    wanted = _wanted(spec, room_px)
    rng = np.random.default_rng((spec.seed, 3))
    taken = np.zeros((len(wanted), 4), np.int64)
    for index, (_, _, lines, width) in enumerate(wanted):
        for attempt in range(_TRIES):
            across_border = index % 2 == 0 and attempt < _TRIES // 2
            top = _start(rng, lines, 0, spec.total_lines, _BORDER_LINES if across_border else 0)
            left = _start(
                rng, width, left_px, room_px, _BORDER_PX if across_border and index % 4 == 0 else 0
            )
            box = np.array([top, left, top + lines, left + width])
            if not _touches(box, taken[:index]):
                taken[index] = box
                break
        else:
            raise ConfigError(
                f"no room for {len(wanted)} defects on {spec.length_m:g} m: "
                f"plant fewer defects_per_class or make the strip longer"
            )
    order = np.lexsort((taken[:, 1], taken[:, 0]))
    return tuple(
        Planting(
            number=number,
            class_name=wanted[at][0],
            seed=wanted[at][1],
            top=int(taken[at, 0]),
            left=int(taken[at, 1]),
            lines=wanted[at][2],
            width=wanted[at][3],
        )
        for number, at in enumerate(order.tolist(), start=1)
    )


def _wanted(spec: StripSpec, room_px: int) -> list[tuple[str, tuple[int, int, int], int, int]]:
    """Return class, seed, lines and width of the boxes, the largest first."""
    if room_px < 12 and any(spec.defects_of(name) for name in CLASS_NAMES):
        raise ConfigError(
            f"the strip leaves {room_px} px for defects between its wandering edges: "
            f"widen strip_width_px ({spec.strip_px} px) or lower wander_px ({spec.wander_px:g} px)"
        )
    wanted = []
    for class_number, name in enumerate(CLASS_NAMES):
        for index in range(spec.defects_of(name)):
            seed = (spec.seed, 4 + class_number, index)
            longest = max(12, spec.total_lines // 3)
            lines, width = random_box(
                name, np.random.default_rng(seed), longest_px=longest, widest_px=room_px
            )
            wanted.append((name, seed, lines, width))
    return sorted(wanted, key=lambda item: item[2] * item[3], reverse=True)


def _start(rng: np.random.Generator, size: int, low: int, room: int, border: int) -> int:
    """Return where a box starts in ``low`` to ``low + room``, across a border where asked."""
    last = low + room - size
    if border:
        first = -(-(low + 2) // border)
        count = (low + room - 2) // border - first + 1
        if count > 0:
            at = (first + int(rng.integers(count))) * border
            return min(max(at - int(size * rng.uniform(0.3, 0.7)), low), last)
    return int(rng.integers(low, last + 1))


def _touches(box: NDArray[np.int64], taken: NDArray[np.int64]) -> bool:
    apart = (taken[:, :2] >= box[2:] + GAP_PX) | (taken[:, 2:] + GAP_PX <= box[:2])
    return bool((~apart.any(axis=1)).any())
