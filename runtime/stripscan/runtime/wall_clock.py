"""The time of day, and how long a coil takes whatever becomes of it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

WallClock = Callable[[], datetime]
"""Tells the time of day in UTC. It may be set at any moment, by hours, forth and back."""


def utc_now() -> datetime:
    """Return the time of day as the machine has it."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Return a moment in ISO 8601 to the millisecond, as it is stored."""
    return moment.isoformat(timespec="milliseconds")


class CoilClock:
    """Tells when a coil began and ended.

    The end is as long after the beginning as the coil took. If the clock is set meanwhile, the
    record of the coil stays one of a single clock, that of its beginning.

    Args:
        wall: The time of day.
    """

    def __init__(self, wall: WallClock) -> None:
        self._wall = wall
        self._began = wall()
        self._began_s = time.monotonic()

    @property
    def started_at(self) -> str:
        """When the coil began."""
        return stamp(self._began)

    def ended_at(self) -> str:
        """Return now, by the clock of the beginning."""
        return stamp(self._now())

    def set_s(self) -> float:
        """Return how far the clock was set since the beginning, in s; forward is positive."""
        return (self._wall() - self._now()).total_seconds()

    @property
    def passed_s(self) -> float:
        """How long the coil has taken, in s."""
        return time.monotonic() - self._began_s

    def _now(self) -> datetime:
        return self._began + timedelta(seconds=self.passed_s)
