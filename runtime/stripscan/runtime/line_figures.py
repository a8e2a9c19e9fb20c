"""What a station has counted since its start."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from stripscan.contract.block import Block
from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.defect import DefectPhase
from stripscan.runtime.inspector import Outcome
from stripscan.runtime.latency import LatencyHistogram

_STANDS_STILL_NS = 2_000_000_000


class LineFigures:
    """Counts over all coils; written by the main loop, read by anybody.

    Attributes:
        blocks: Blocks that were taken.
        lines: Lines that passed, lost ones included.
        pixels: Pixels of the blocks.
        lost_lines: Lines without a picture, by the source or by dropped blocks; of several
            cameras their sum.
        dropped_blocks: Blocks that came and were not taken in time.
        gate_only_switches: How often the gate had to go on alone, or the full chain came back.
        lines_without_coil: Lines that passed while there was no coil.
        coils: Coils that ended, by status.
        defects: Defects that ended, by class.
        coverage_m: Metres by status of coverage; of several cameras their sum.
        latency: From the last line to the commit.
    """

    def __init__(self) -> None:
        self.blocks = 0
        self.lines = 0
        self.pixels = 0
        self.lost_lines = 0
        self.dropped_blocks = 0
        self.gate_only_switches = 0
        self.lines_without_coil = 0
        self.coils: Counter[str] = Counter()
        self.defects: Counter[str] = Counter()
        self.coverage_m: defaultdict[str, float] = defaultdict(float)
        self.latency = LatencyHistogram()
        self._ahead = (0, 0.0, 0.0)  # when the last line came, how far it was in m, speed in m/s

    def take(self, block: Block) -> int:
        """Count a block, and return how many lines were lost in it and before it."""
        first, stop = max(self.lines, block.first_line), block.lines.stop
        if stop <= first:
            return 0
        lost = first - self.lines
        lost += sum(max(each.stop - max(each.start, first), 0) for each in block.lost)
        self.blocks += 1
        self.lines = stop
        self.lost_lines += lost
        self.pixels += (stop - first) * block.pixels.shape[1]
        self._move(block)
        return lost

    def keep(self, outcome: Outcome) -> None:
        """Count what a band changed, once it is committed."""
        for defect in outcome.changes.defects:
            if defect.phase is DefectPhase.END:
                self.defects[defect.class_name] += 1
        self.cover(outcome.coverage)

    def cover(self, intervals: Iterable[CoverageInterval]) -> None:
        """Count committed coverage."""
        for interval in intervals:
            self.coverage_m[str(interval.status)] += max(interval.length_m, 0.0)

    def speed_m_s(self, now_ns: int) -> float:
        """Return the speed of the strip in m/s; 0 where no line has come for two seconds.

        Args:
            now_ns: ``time.monotonic_ns()``.
        """
        at_ns, _, speed_m_s = self._ahead
        return speed_m_s if now_ns - at_ns <= _STANDS_STILL_NS else 0.0

    def _move(self, block: Block) -> None:
        before_ns, before_m, _ = self._ahead
        end_m = block.along_m + block.pixels.shape[0] * block.mm_per_line / 1000
        way_s = (block.host_ns - before_ns) / 1e9
        speed_m_s = (end_m - before_m) / way_s if before_ns and way_s > 0 else 0.0
        self._ahead = (block.host_ns, end_m, max(speed_m_s, 0.0))
