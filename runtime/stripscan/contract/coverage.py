"""What is known of every line of a coil."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stripscan.contract.block import LineRange


class CoverageStatus(StrEnum):
    """How far a range of lines was inspected. Only ``inspected`` may ever look clean."""

    INSPECTED = "inspected"
    DEGRADED = "degraded"  # inspected with less than the full chain
    DROPPED = "dropped"  # seen by the camera, or lost on the way, and not inspected
    UNKNOWN = "unknown"  # nothing trustworthy was measured


SEEN: Final = (CoverageStatus.INSPECTED, CoverageStatus.DEGRADED)
"""What is known of lines that show metal to be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageInterval:
    """Consecutive lines of one camera with one status.

    Attributes:
        camera: Name of the camera.
        lines: The lines.
        along_start_m: Position of the first line from the head in m.
        along_end_m: Position after the last line in m.
        status: What is known of them.
        reason: Why, in words; empty where inspected.
    """

    camera: str
    lines: LineRange
    along_start_m: float
    along_end_m: float
    status: CoverageStatus
    reason: str = ""

    @property
    def length_m(self) -> float:
        """Length of the interval in m."""
        return self.along_end_m - self.along_start_m


def append_interval(
    ledger: list[CoverageInterval], interval: CoverageInterval
) -> list[CoverageInterval]:
    """Return the ledger with one more interval, joined to the last where nothing differs.

    Args:
        ledger: Intervals of one camera, in order, without a gap.
        interval: The next one; it starts where the last one stops.

    Raises:
        ValueError: The interval leaves a gap, overlaps the last one, or is empty.
    """
    if interval.lines.lines <= 0:
        raise ValueError(f"an empty interval of lines: {interval.lines}")
    if not ledger:
        return [interval]
    last = ledger[-1]
    if interval.lines.start != last.lines.stop:
        raise ValueError(
            f"coverage must be without a gap: line {interval.lines.start} follows "
            f"line {last.lines.stop}"
        )
    if (interval.status, interval.reason) != (last.status, last.reason):
        return [*ledger, interval]
    joined = CoverageInterval(
        camera=last.camera,
        lines=LineRange(start=last.lines.start, stop=interval.lines.stop),
        along_start_m=last.along_start_m,
        along_end_m=interval.along_end_m,
        status=last.status,
        reason=last.reason,
    )
    return [*ledger[:-1], joined]
