"""Whether the light is still what it was when the flat field was learned."""

import logging
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.conditioning.flat_field import FlatField, Pixels
from stripscan.runtime.edges import Edges
from stripscan.runtime.store_records import Stat

logger = logging.getLogger(__name__)

GROUPS: Final = 16
"""Groups of columns side by side that are watched."""

SAMPLE_LINES: Final = 32
"""Every so many lines one tells enough of the light."""

_PIECE_M = 5.0
_MEMORY_M = 50.0
_PIECES_KEPT = 30  # three times the memory: what is older weighs less than 5 %
_PATIENCE = 4  # pieces, 20 m, before an alarm
_CALM_SHARE = 0.8
_GUARD_PX = 16

Levels = NDArray[np.float64]
"""float64 ``[GROUPS]``; NaN where there is no strip."""


class _Alarm:
    """Raised by a value that is large for a while, cleared where it is clearly smaller again."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._long = 0
        self.raised = False

    def update(self, size: float) -> bool:
        """Take in how large the value is; return whether that has just raised the alarm."""
        self._long = self._long + 1 if size > self._limit else 0
        if self.raised:
            self.raised = size > _CALM_SHARE * self._limit
            return False
        self.raised = self._long >= _PATIENCE
        return self.raised


class DriftWatch:
    """Follows the brightness of corrected strip in groups of columns.

    Every 5 m each group has the median of its pixels; the last 150 m of them make a weighted
    median with weights that fall by 1/e in 50 m. All groups together tell of lamps, exposure, or
    other metal; a group against all others tells of dirt on the lens or of one lamp.

    Args:
        camera: Name of the camera, for the log.
        field: The flat field in use, learned from running strip: how bright strip looks, and where
            it shines, a white target does not tell.
        alarm_percent: Change that is an alarm, in %.
        mm_per_line: Nominal pitch along in mm.
    """

    def __init__(
        self, *, camera: str, field: FlatField, alarm_percent: float, mm_per_line: float
    ) -> None:
        self._camera = camera
        self._field = field
        self._bounds = np.linspace(0, field.width_px, GROUPS + 1).astype(int)
        self._piece_lines = max(round(_PIECE_M * 1000 / mm_per_line), 1)
        self._bands: list[Levels] = []
        self._lines = 0
        self._pieces: deque[Levels] = deque(maxlen=_PIECES_KEPT)
        self._all_alarm = _Alarm(alarm_percent)
        self._group_alarms = [_Alarm(alarm_percent) for _ in range(GROUPS)]
        self._change: float | None = None
        self._uneven: float | None = None
        self._told: list[str] = []

    def push(self, pixels: Pixels, edges: Edges, *, lines: int) -> None:
        """Take in a sample of the lines of a band that were inspected.

        Args:
            pixels: uint8 ``[n, width]``, corrected, at least one line; every ``SAMPLE_LINES``-th
                is enough.
            edges: float32 ``[n, 2]``.
            lines: How many lines they stand for.
        """
        self._bands.append(self._levels(pixels, edges))
        self._lines += lines
        if self._lines >= self._piece_lines:
            self._pieces.append(_median(np.stack(self._bands)))
            self._bands, self._lines = [], 0
            self._judge()

    def stats(self) -> dict[str, Stat]:
        """Return the change in %, the largest of a group against all, and alarms that were told."""
        figures: dict[str, Stat] = {
            "illumination_change_percent": self._change,
            "illumination_uneven_percent": self._uneven,
        }
        return figures | ({"illumination_alarm": "; ".join(self._told)} if self._told else {})

    def _levels(self, pixels: Pixels, edges: Edges) -> Levels:
        left, right = int(edges[:, 0].max()), int(edges[:, 1].min())
        first = left + _GUARD_PX if left > 0 else 0
        stop = right - _GUARD_PX if right < self._field.width_px else right
        levels = np.full(GROUPS, np.nan)
        for group in range(GROUPS):
            begin, end = self._bounds[group], self._bounds[group + 1]
            a, b = max(begin, first), min(end, stop)
            if 2 * (b - a) >= end - begin:
                levels[group] = np.median(pixels[:, a:b])
        return levels

    def _judge(self) -> None:
        levels = _faded_median(np.stack(self._pieces))
        seen = ~np.isnan(levels)
        if not seen.any():
            return
        usual = float(np.median(levels[seen]))
        self._change = 100 * (usual / (self._field.level_grey or usual) - 1)
        if self._all_alarm.update(abs(self._change)):
            self._tell(
                f"all columns {self._change:+.0f} %",
                "look at the lamps and the exposure, or learn the flat field on this metal",
            )
        uneven = np.where(seen, 100 * (levels / max(usual, 1.0) - 1), 0.0)
        self._uneven = float(uneven[np.argmax(np.abs(uneven))])
        for group, alarm in enumerate(self._group_alarms):
            if alarm.update(abs(float(uneven[group]))):
                first, last = self._bounds[group], self._bounds[group + 1] - 1
                self._tell(
                    f"columns {first}–{last} {uneven[group]:+.0f} % against all",
                    "clean the lens, and look at the lamps there",
                )

    def _tell(self, what: str, remedy: str) -> None:
        if what not in self._told:
            self._told.append(what)
        logger.warning(
            "the light has changed since the flat field was learned: %s",
            remedy,
            extra={
                "camera": self._camera,
                "change": what,
                "learned_at": self._field.origin.learned_at,
                "lamp_hours_then": self._field.origin.lamp_hours,
            },
        )


def _median(levels: NDArray[np.float64]) -> Levels:
    """Return the median of each group over the rows that have one."""
    return _weighted_median(levels, np.ones(len(levels)))


def _faded_median(pieces: NDArray[np.float64]) -> Levels:
    """Return the weighted median of each group; the last row weighs most."""
    age_m = np.arange(len(pieces))[::-1] * _PIECE_M
    return _weighted_median(pieces, np.exp(-age_m / _MEMORY_M))


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> Levels:
    order = np.argsort(values, axis=0)  # NaN last
    ordered = np.take_along_axis(values, order, axis=0)
    weight = np.where(np.isnan(ordered), 0.0, weights[order])
    up_to = np.cumsum(weight, axis=0)
    middle = np.argmax(up_to >= up_to[-1] / 2, axis=0)
    return np.asarray(ordered[middle, np.arange(values.shape[1])], np.float64)
