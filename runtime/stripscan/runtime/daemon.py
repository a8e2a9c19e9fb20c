"""Runs a station over one coil: source, model and store put to work together."""

import importlib.resources
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from stripscan.contract.block import LineRange
from stripscan.contract.bundle import Bundle, open_bundle
from stripscan.contract.coverage import CoverageInterval, append_interval
from stripscan.contract.errors import StripscanError
from stripscan.runtime.acquisition import Acquisition
from stripscan.runtime.engines.onnxruntime import OnnxEngine
from stripscan.runtime.inspector import CoilInspector, Outcome, classes_of, rest_of_coil
from stripscan.runtime.latency import LatencyHistogram
from stripscan.runtime.sources import FrameSource, open_source
from stripscan.runtime.station import Station
from stripscan.runtime.store import CoilRecord, Store
from stripscan.runtime.store_records import CoilStatus, Stat

logger = logging.getLogger(__name__)

DEFAULT_BUNDLE_FILE = "neu-strip-small.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run is.

    Attributes:
        coil: The coil.
        lines: Lines that have arrived.
        total_lines: Lines that are expected, where that is known.
        length_m: Length that has passed, in m.
        defects: Defects that were reported so far.
        throughput_mpx_s: Pixels since the start of the coil, in 10⁶ a second.
        latency_p50_ms: Median latency so far.
    """

    coil: str
    lines: int
    total_lines: int | None
    length_m: float
    defects: int
    throughput_mpx_s: float
    latency_p50_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended.

    Attributes:
        coil: The coil.
        interrupted: Whether it was stopped before its end; everything is saved.
    """

    coil: str
    interrupted: bool


def default_bundle_path() -> Path:
    """Return the bundle that comes with stripscan."""
    return Path(str(importlib.resources.files("stripscan.models") / DEFAULT_BUNDLE_FILE))


def station_bundle(station: Station) -> Bundle:
    """Open the bundle that a station file names.

    Raises:
        BundleError: It is missing, damaged or unsafe.
    """
    return open_bundle(station.bundle.folder or default_bundle_path())


def run_station(
    station: Station, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> RunResult:
    """Inspect one coil from its head to its tail, or until SIGINT or SIGTERM.

    Args:
        station: What to run.
        on_progress: Called after each band.

    Raises:
        StripscanError: The source, the model or the store failed. What was inspected until then
            is in the store, and the coil is marked as failed.
    """
    bundle = station_bundle(station)
    engine = OnnxEngine.from_bundle(bundle, threads=station.inference.threads)
    with Store.open(station.store.path) as store, open_source(station) as source:
        for lost in store.recover():
            logger.warning("coil was cut off by a crash", extra={"coil": lost})
        coil = station.coil.id or f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{station.name}"
        inspector = CoilInspector(
            coil=coil,
            station=station,
            manifest=bundle.manifest,
            engine=engine,
            width_px=source.width_px,
        )
        store.start_coil(_record(coil, station, bundle, source))
        run = _Run(coil=coil, station=station, store=store, source=source, inspector=inspector)
        return run.to_the_end(on_progress)


def _record(coil: str, station: Station, bundle: Bundle, source: FrameSource) -> CoilRecord:
    camera = station.camera
    return CoilRecord(
        id=coil,
        station=station.name,
        camera=camera.name,
        surface=camera.surface,
        started_at=_now(),
        width_px=source.width_px,
        mm_per_px=camera.mm_per_px,
        mm_per_line=camera.mm_per_line,
        bundle_name=bundle.manifest.name,
        bundle_digest=bundle.digest,
        classes=classes_of(bundle.manifest),
    )


class _Run:
    """The main loop of one coil."""

    def __init__(
        self,
        *,
        coil: str,
        station: Station,
        store: Store,
        source: FrameSource,
        inspector: CoilInspector,
    ) -> None:
        self._coil = coil
        self._station = station
        self._store = store
        self._source = source
        self._inspector = inspector
        self._acquisition = Acquisition(source)
        self._latency = LatencyHistogram()
        self._ledger: list[CoverageInterval] = []
        self._stopped = threading.Event()
        self._started = time.monotonic()

    def to_the_end(self, on_progress: Callable[[Progress], None]) -> RunResult:
        status: CoilStatus = "failed"
        try:
            with self._signals():
                try:
                    for block in self._acquisition.blocks():
                        for outcome in self._inspector.push(block):
                            self._keep(outcome)
                            on_progress(self._progress())
                    status = "interrupted" if self._stopped.is_set() else "complete"
                finally:
                    self._acquisition.stop()
                    self._close(status)
        except StripscanError:
            logger.exception("coil failed", extra={"coil": self._coil})
            raise
        logger.info("coil ended", extra={"coil": self._coil, "status": status})
        return RunResult(coil=self._coil, interrupted=status == "interrupted")

    def _keep(self, outcome: Outcome) -> None:
        with self._store.transaction():
            for gone, into in outcome.changes.merged:
                self._store.merge_defect(self._coil, gone, into)
            for defect in outcome.changes.defects:
                self._store.put_defect(defect)
            for number, runs in outcome.changes.runs:
                self._store.add_runs(self._coil, number, runs)
            for number, picture in outcome.pictures:
                self._store.put_picture(self._coil, number, picture)
            for interval in outcome.coverage:
                self._cover(interval)
        if outcome.coverage:
            self._latency.add((time.monotonic_ns() - outcome.host_ns) / 1e6)

    def _cover(self, interval: CoverageInterval) -> None:
        self._ledger = append_interval(self._ledger[-1:], interval)
        self._store.put_coverage(self._coil, self._ledger[-1])

    def _close(self, status: CoilStatus) -> None:
        for outcome in self._inspector.finish():
            self._keep(outcome)
        length_m = self._inspector.length_m
        missing = (self._source.total_lines or 0) - self._inspector.lines
        with self._store.transaction():
            if missing > 0:
                self._cover(
                    rest_of_coil(
                        camera=self._station.camera.name,
                        lines=LineRange(
                            start=self._inspector.lines, stop=self._inspector.lines + missing
                        ),
                        along_start_m=length_m,
                        mm_per_line=self._station.camera.mm_per_line,
                    )
                )
            self._store.finish_coil(
                self._coil,
                ended_at=_now(),
                status=status,
                length_m=self._ledger[-1].along_end_m if self._ledger else 0.0,
                stats=self._stats(),
            )

    def _progress(self) -> Progress:
        return Progress(
            coil=self._coil,
            lines=self._inspector.lines,
            total_lines=self._source.total_lines,
            length_m=self._inspector.length_m,
            defects=self._inspector.defects,
            throughput_mpx_s=self._throughput_mpx_s(),
            latency_p50_ms=self._latency.percentile_ms(50),
        )

    def _throughput_mpx_s(self) -> float:
        pixels = self._inspector.lines * self._source.width_px
        return pixels / 1e6 / max(time.monotonic() - self._started, 1e-9)

    def _stats(self) -> dict[str, Stat]:
        return {
            "latency_p50_ms": self._latency.percentile_ms(50),
            "latency_p99_ms": self._latency.percentile_ms(99),
            "latency_max_ms": self._latency.max_ms,
            "throughput_mpx_s": self._throughput_mpx_s(),
            "dropped_blocks": self._acquisition.dropped_blocks,
        }

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM stop the source; a second one ends the process at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.getsignal(number) for number in signals}

        def stop(number: int, _frame: FrameType | None) -> None:
            logger.warning("stopping", extra={"signal": signal.Signals(number).name})
            self._stopped.set()
            self._acquisition.stop()
            for again in signals:
                signal.signal(again, before[again])

        for number in signals:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number in signals:
                signal.signal(number, before[number])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
