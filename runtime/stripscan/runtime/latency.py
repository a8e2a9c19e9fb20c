"""Latency from last line to stored event, in stages, as histograms of constant memory."""

import math
from itertools import pairwise

from stripscan.runtime.station import CameraSection

_FLOOR_MS = 0.01
_STEP = 1.02
"""Each bucket is 2 % wider than the one before: percentiles are exact to 2 %."""


class LatencyHistogram:
    """Counts latencies in geometric buckets, after HdrHistogram (Tene, 2012)."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._total = 0
        self._max_ms = 0.0
        self._sum_ms = 0.0

    def add(self, latency_ms: float) -> None:
        """Count one latency in ms."""
        bucket = max(math.ceil(math.log(max(latency_ms, _FLOOR_MS) / _FLOOR_MS, _STEP)), 0)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self._total += 1
        self._sum_ms += latency_ms
        self._max_ms = max(self._max_ms, latency_ms)

    @property
    def max_ms(self) -> float | None:
        """The largest latency in ms; None where none was counted."""
        return self._max_ms if self._total else None

    @property
    def sum_ms(self) -> float:
        """Sum of all latencies in ms."""
        return self._sum_ms

    @property
    def total(self) -> int:
        """How many were counted."""
        return self._total

    def within(self, limit_ms: float) -> int:
        """Return how many latencies were at most ``limit_ms``, to the width of a bucket."""
        last = math.floor(math.log(limit_ms / _FLOOR_MS, _STEP))
        return sum(count for bucket, count in self._counts.copy().items() if bucket <= last)

    def percentile_ms(self, percent: float) -> float | None:
        """Return the latency in ms that ``percent`` of all stay within; None if none was counted.

        Args:
            percent: 0–100.
        """
        rank = math.ceil(self._total * percent / 100)
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= rank:
                return min(_FLOOR_MS * _STEP**bucket, self._max_ms)
        return None


class StageLatency:
    """Latency of one row of tiles after the other, divided into what it was spent on.

    ``waiting`` is from the last line in memory until the inspection turned to it, ``inspection``
    until its defects were known, ``store`` until they were committed. The three add up to the
    latency without a stage.

    Args:
        deadline_ms: Time for a row at the highest speed of the strip, if that is known.
    """

    def __init__(self, deadline_ms: float | None = None) -> None:
        self._deadline_ms = deadline_ms
        self._misses = 0
        self._total = LatencyHistogram()
        self._stages = {
            "waiting": LatencyHistogram(),
            "inspection": LatencyHistogram(),
            "store": LatencyHistogram(),
        }

    @property
    def p50_ms(self) -> float | None:
        """Median latency in ms; None where none was counted."""
        return self._total.percentile_ms(50)

    def add(self, host_ns: int, begun_ns: int, found_ns: int, stored_ns: int) -> None:
        """Count one row, from four moments of ``time.monotonic_ns()``.

        Args:
            host_ns: Its last line was in memory.
            begun_ns: The inspection turned to it.
            found_ns: Its defects were known.
            stored_ns: They were committed.
        """
        ends = (host_ns, begun_ns, found_ns, stored_ns)
        for histogram, (start, end) in zip(self._stages.values(), pairwise(ends), strict=True):
            histogram.add((end - start) / 1e6)
        self._total.add((stored_ns - host_ns) / 1e6)
        if self._deadline_ms is not None and (stored_ns - begun_ns) / 1e6 > self._deadline_ms:
            self._misses += 1

    def figures(self) -> dict[str, float | int | None]:
        """Return median, 99th percentile and maximum of all, and how often time was short."""
        named = {"latency": self._total}
        named |= {f"latency_{stage}": histogram for stage, histogram in self._stages.items()}
        figures: dict[str, float | int | None] = {}
        for name, histogram in named.items():
            figures[f"{name}_p50_ms"] = histogram.percentile_ms(50)
            figures[f"{name}_p99_ms"] = histogram.percentile_ms(99)
            figures[f"{name}_max_ms"] = histogram.max_ms
        if self._deadline_ms is not None:
            figures |= {"deadline_ms": self._deadline_ms, "deadline_misses": self._misses}
        return figures


def deadline_ms(core_lines: int, camera: CameraSection) -> float | None:
    """Return how long the lines of a row of tiles take to pass at top speed, in ms.

    Args:
        core_lines: Lines that a row keeps.
        camera: Pitch of its lines, and the top speed if that is known.
    """
    return core_lines * camera.mm_per_line / camera.top_speed_m_s if camera.top_speed_m_s else None
