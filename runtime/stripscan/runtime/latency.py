"""Latency from last line to stored event, as a histogram of constant memory."""

import math

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
