"""Metrics of a station for Prometheus."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector

from stripscan.contract.coverage import CoverageStatus
from stripscan.runtime.latency import LatencyHistogram
from stripscan.runtime.line_state import LineState
from stripscan.runtime.supervision import Supervisor

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_E12: Final = (1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2)
_BOUNDS_MS: Final = (*(step * 10**power for power in range(4) for step in _E12), 10_000.0)
"""Preferred numbers (IEC 60063), near enough for a percentile to be read between them."""


class Metrics:
    """Tells what a station has counted, whenever it is asked.

    Args:
        station: Name of the station.
        supervisor: What is known of it.
        store: The store's file.
    """

    def __init__(self, station: str, *, supervisor: Supervisor, store: Path) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_LineCollector(station, supervisor, store))

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return bytes(generate_latest(self._registry))


class _LineCollector(Collector):
    def __init__(self, station: str, supervisor: Supervisor, store: Path) -> None:
        self._station = station
        self._supervisor = supervisor
        self._store = store

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._by_label()
        yield from self._now()
        yield _latency(self._supervisor.figures.latency)

    def _counters(self) -> Iterator[Metric]:
        figures = self._supervisor.figures
        for name, words, value in (
            ("blocks", "Blocks that were taken", figures.blocks),
            (
                "dropped_blocks",
                "Blocks that were not taken in time",
                figures.dropped_blocks,
            ),
            (
                "gate_only_switches",
                "Changes from the full chain to the gate alone, and back",
                figures.gate_only_switches,
            ),
            ("lines", "Lines that passed, lost ones included", figures.lines),
            ("lost_lines", "Lines without a picture", figures.lost_lines),
            (
                "lines_without_coil",
                "Lines that passed while there was no coil, up to the last coil's start",
                figures.lines_without_coil,
            ),
            ("megapixels", "Pixels that passed, in 10^6", figures.pixels / 1e6),
        ):
            yield CounterMetricFamily(f"stripscan_{name}", words, value=value)

    def _by_label(self) -> Iterator[Metric]:
        figures = self._supervisor.figures
        coverage = dict.fromkeys(map(str, CoverageStatus), 0.0) | dict(figures.coverage_m)
        for name, words, label, values in (
            ("coils", "Coils that ended, by status", "status", dict(figures.coils)),
            ("defects", "Defects that ended, by class", "class", dict(figures.defects)),
            ("coverage_metres", "Length by status of coverage", "status", coverage),
        ):
            family = CounterMetricFamily(f"stripscan_{name}", words, labels=[label])
            for value, count in values.items():
                family.add_metric([value], count)
            yield family

    def _now(self) -> Iterator[Metric]:
        supervisor, coil = self._supervisor, self._supervisor.coil
        states = {str(state): state is supervisor.state for state in LineState}
        yield StateSetMetricFamily("stripscan_state", "State of the station", value=states)
        bundle, digest = supervisor.bundle
        known = {"name": self._station, "bundle": bundle, "digest": digest}
        known["rules"] = supervisor.rules
        yield InfoMetricFamily("stripscan_station", "What inspects", value=known)
        yield InfoMetricFamily(
            "stripscan_coil", "Coil under the camera", value={"id": coil.plan.id if coil else ""}
        )
        for name, words, value in (
            ("coil_metres", "Length of the coil so far", coil.progress.length_m if coil else 0),
            ("coil_defects", "Defects of the coil so far", coil.progress.defects if coil else 0),
            ("speed_metres_per_second", "Speed of the strip", supervisor.speed_m_s()),
            ("store_bytes", "Size of the store and its log", _size(self._store)),
        ):
            yield GaugeMetricFamily(f"stripscan_{name}", words, value=value)


def _latency(latency: LatencyHistogram) -> Metric:
    counts = [(str(bound / 1000), float(latency.within(bound))) for bound in _BOUNDS_MS]
    family = HistogramMetricFamily("stripscan_latency_seconds", "From the last line to the commit")
    total = max(float(latency.total), counts[-1][1])
    family.add_metric([], [*counts, ("+Inf", total)], sum_value=latency.sum_ms / 1000)
    return family


def _size(store: Path) -> int:
    files = (store, store.with_name(f"{store.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
