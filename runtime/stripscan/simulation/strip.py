"""A coil that can be looked at line by line, with the truth beside it."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import CLASS_ID
from stripscan.contract.errors import ConfigError
from stripscan.simulation.blend import REAL_CLASSES, RealDefects
from stripscan.simulation.defects import Sprite, draw_defect
from stripscan.simulation.planting import Planting, plant
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.surface import CHUNK_LINES, Grey, Surface

_SPRITES_KEPT = 32  # at most some MB; a block rarely shows more


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedDefect:
    """The truth of one defect, measured on its mask.

    Attributes:
        number: From 1, in the order along the coil; the value in ``Rendered.number``.
        class_name: Machine name of its class.
        first_line: First line of the mask.
        last_line: Last line of the mask, inclusive.
        first_px: First column of the mask.
        last_px: Last column of the mask, inclusive.
        area_px: Pixels in the mask.
    """

    number: int
    class_name: str
    first_line: int
    last_line: int
    first_px: int
    last_px: int
    area_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Consecutive lines of the strip.

    Attributes:
        pixels: uint8 ``[lines, width]``.
        mask: uint8 ``[lines, width]``, class ids, 0 clean.
        number: int32 ``[lines, width]``, numbers of the planted defects, 0 none.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    number: NDArray[np.int32]


class SimulatedStrip:
    """A strip whose every line is a pure function of the spec and the line's number.

    Lines are drawn when they are asked for and not kept, so a coil may be as long as it likes;
    any way of cutting it into blocks gives the same bytes.

    Raises:
        ConfigError: The strip has no room for its defects.
        DataError: ``spec.real_data`` has no real defects.
    """

    def __init__(self, spec: StripSpec) -> None:
        self.spec = spec
        self._surface = Surface(spec)
        self._real = RealDefects(spec.real_data) if spec.real_data is not None else None
        self._plantings = plant(spec)
        self._tops = np.array([p.top for p in self._plantings], np.int64)
        self._stops = np.array([p.top + p.lines for p in self._plantings], np.int64)
        self._sprite = lru_cache(maxsize=_SPRITES_KEPT)(self._draw)

    @property
    def total_lines(self) -> int:
        """Lines from the head to the tail."""
        return self.spec.total_lines

    @cached_property
    def planted(self) -> tuple[PlantedDefect, ...]:
        """The truth, in the order of numbers; measuring it draws every defect once."""
        return tuple(_measured(p, self._draw(p).mask) for p in self._plantings)

    def edges(self, first_line: int, lines: int) -> NDArray[np.float32]:
        """Return the true edges, float32 ``[lines, 2]``: left and right, in columns.

        A pixel of column ``c`` is metal where ``left <= c + 0.5 <= right``.

        Raises:
            ConfigError: The lines are not all on the coil.
        """
        self._check(first_line, lines)
        return self._surface.edges(first_line, lines)

    def render(self, first_line: int, lines: int) -> Rendered:
        """Draw lines ``first_line`` up to, not including, ``first_line + lines``.

        Raises:
            ConfigError: The lines are not all on the coil.
        """
        self._check(first_line, lines)
        shape = (lines, self.spec.width_px)
        pixels = np.empty(shape, np.uint8)
        mask = np.zeros(shape, np.uint8)
        number = np.zeros(shape, np.int32)
        at, stop = first_line, first_line + lines
        while at < stop:
            until = min(stop, (at // CHUNK_LINES + 1) * CHUNK_LINES)
            rows = slice(at - first_line, until - first_line)
            grey = self._surface.metal(at, until - at)
            for index in np.flatnonzero((self._tops < until) & (self._stops > at)).tolist():
                self._stamp(self._plantings[index], at, grey, mask[rows], number[rows])
            pixels[rows] = self._surface.expose(grey, at)
            at = until
        return Rendered(pixels=pixels, mask=mask, number=number)

    def _check(self, first_line: int, lines: int) -> None:
        if lines < 1 or first_line < 0 or first_line + lines > self.total_lines:
            raise ConfigError(
                f"lines {first_line} to {first_line + lines} are not on the coil: "
                f"it has lines 0 to {self.total_lines}"
            )

    def _draw(self, planting: Planting) -> Sprite:
        rng = np.random.default_rng((*planting.seed, 1))
        if self._real is not None and planting.class_name in REAL_CLASSES:
            return self._real.draw(planting.class_name, rng, planting.lines, planting.width)
        return draw_defect(planting.class_name, rng, planting.lines, planting.width)

    def _stamp(
        self,
        planting: Planting,
        first_line: int,
        grey: Grey,
        mask: NDArray[np.uint8],
        number: NDArray[np.int32],
    ) -> None:
        sprite = self._sprite(planting)
        start = max(planting.top, first_line)
        stop = min(planting.top + planting.lines, first_line + grey.shape[0])
        columns = slice(planting.left, planting.left + planting.width)
        target = (slice(start - first_line, stop - first_line), columns)
        rows = slice(start - planting.top, stop - planting.top)
        gained = (grey[target] * sprite.gain_q8[rows].astype(np.int32) + 128) >> 8
        grey[target] = np.minimum(gained, np.iinfo(np.int16).max // 2)
        covered = sprite.mask[rows]
        mask[target] = covered * np.uint8(CLASS_ID[planting.class_name])
        number[target] = covered * np.int32(planting.number)


def _measured(planting: Planting, mask: NDArray[np.uint8]) -> PlantedDefect:
    lines = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return PlantedDefect(
        number=planting.number,
        class_name=planting.class_name,
        first_line=planting.top + int(lines[0]),
        last_line=planting.top + int(lines[-1]),
        first_px=planting.left + int(columns[0]),
        last_px=planting.left + int(columns[-1]),
        area_px=int(np.count_nonzero(mask)),
    )
