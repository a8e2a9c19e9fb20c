"""One coil under one camera: what is found goes into the store as it comes."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from stripscan.contract.block import LineRange
from stripscan.contract.coverage import CoverageInterval, CoverageStatus, append_interval
from stripscan.contract.defect import DefectPhase
from stripscan.contract.errors import StripscanError
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.acquire import acquire
from stripscan.runtime.grading import grade_ended
from stripscan.runtime.inspector import CoilInspector, Outcome, rest_of_coil
from stripscan.runtime.latency import StageLatency, deadline_ms
from stripscan.runtime.rolls import RollWatch
from stripscan.runtime.rules.judge import SeverityJudge
from stripscan.runtime.rules.load import Rules
from stripscan.runtime.sources import FrameSource
from stripscan.runtime.sources.base import CountingSource
from stripscan.runtime.station import Station
from stripscan.runtime.store import Store
from stripscan.runtime.store_records import CoilStatus, Stat

logger = logging.getLogger(__name__)


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


class CoilRun:
    """The main loop of one coil.

    Args:
        coil: Its id, in the store already.
        station: Camera, rolls and pipeline.
        rules: By which the coil is graded at its end.
        judge: Gives each defect its severity.
        store: Where everything goes.
        source: Where the lines come from; entered.
        inspector: From lines to defects.
    """

    def __init__(
        self,
        *,
        coil: str,
        station: Station,
        rules: Rules,
        judge: SeverityJudge,
        store: Store,
        source: FrameSource,
        inspector: CoilInspector,
    ) -> None:
        self._coil = coil
        self._station = station
        self._rules = rules
        self._judge = judge
        self._store = store
        self._source = source
        self._inspector = inspector
        self._rolls = roll_watch(coil, station)
        self._acquisition = acquire(source, station.pipeline)
        self._latency = StageLatency(deadline_ms(inspector.core_lines, station.camera))
        self._ledger: list[CoverageInterval] = []
        self._stopped = False
        self._started = time.monotonic()

    def stop(self) -> None:
        """End the coil early; lines that have arrived are still inspected."""
        self._stopped = True
        self._acquisition.stop()

    def to_the_end(self, on_progress: Callable[[Progress], None]) -> RunResult:
        """Inspect until the source ends or ``stop`` is called, then close and grade the coil.

        Args:
            on_progress: Called after each band.

        Raises:
            StripscanError: The source, the model or the store failed; what was inspected until
                then is kept, and the coil is marked as failed.
        """
        status: CoilStatus = "failed"
        try:
            try:
                self._inspect(on_progress)
                status = "interrupted" if self._stopped else "complete"
            finally:
                self._close(status)
        except StripscanError as error:
            logger.error("coil failed", extra={"coil": self._coil, "reason": str(error)})
            raise
        logger.info("coil ended", extra={"coil": self._coil, "status": status})
        return RunResult(coil=self._coil, interrupted=status == "interrupted")

    def _inspect(self, on_progress: Callable[[Progress], None]) -> None:
        try:
            for block in self._acquisition.blocks():
                self._take(self._inspector.push(block), on_progress)
        finally:  # a source that failed has delivered lines all the same
            self._acquisition.stop()
            self._take(self._inspector.finish(), on_progress)

    def _take(self, outcomes: Iterator[Outcome], on_progress: Callable[[Progress], None]) -> None:
        try:
            begun_ns = time.monotonic_ns()
            for outcome in outcomes:
                found_ns = time.monotonic_ns()
                self._keep(outcome)
                if outcome.coverage:
                    self._latency.add(outcome.host_ns, begun_ns, found_ns, time.monotonic_ns())
                on_progress(self._progress())
                begun_ns = time.monotonic_ns()
        except BaseException:
            self._inspector.abandon()
            raise

    def _keep(self, outcome: Outcome) -> None:
        repeats = self._rolls.push(outcome.changes.defects, settled_m=outcome.settled_m)
        with self._store.transaction():
            for gone, into in outcome.changes.merged:
                self._store.merge_defect(self._coil, gone, into)
            for defect in outcome.changes.defects:
                self._store.put_defect(self._judge.so_far(defect))
            for number, runs in outcome.changes.runs:
                self._store.add_runs(self._coil, number, runs)
            for number, picture in outcome.pictures:
                self._store.put_picture(self._coil, number, picture)
            for repeat in repeats:
                self._store.put_roll_repeat(repeat)
            ledger = self._cover(*outcome.coverage)
        self._ledger = ledger
        _announce(repeats)

    def _cover(self, *intervals: CoverageInterval) -> list[CoverageInterval]:
        """Store intervals and return the end of the ledger, valid once they are committed."""
        ledger = self._ledger
        for interval in intervals:
            ledger = append_interval(ledger[-1:], interval)
            self._store.put_coverage(self._coil, ledger[-1])
        return ledger

    def _close(self, status: CoilStatus) -> None:
        with self._store.transaction():
            ledger = self._cover(*self._not_inspected())
            for repeat in self._rolls.finish():
                self._store.put_roll_repeat(repeat)
            self._store.finish_coil(
                self._coil,
                ended_at=now(),
                status=status,
                length_m=ledger[-1].along_end_m if ledger else 0.0,
                stats=self._stats(),
            )
            grade_ended(self._store, self._coil, self._rules)

    def _not_inspected(self) -> Iterator[CoverageInterval]:
        """Yield what arrived and was not inspected, and what was planned and never arrived."""
        camera, arrived = self._station.camera, self._inspector.lines
        last = self._ledger[-1] if self._ledger else None
        covered = last.lines.stop if last else 0
        if covered < arrived:
            yield CoverageInterval(
                camera=camera.name,
                lines=LineRange(start=covered, stop=arrived),
                along_start_m=last.along_end_m if last else 0.0,
                along_end_m=self._inspector.length_m,
                status=CoverageStatus.DROPPED,
                reason="the run failed before this strip was inspected",
            )
        planned = self._source.total_lines or 0
        if arrived < planned:
            yield rest_of_coil(
                camera=camera.name,
                lines=LineRange(start=arrived, stop=planned),
                along_start_m=self._inspector.length_m,
                mm_per_line=camera.mm_per_line,
            )

    def _progress(self) -> Progress:
        return Progress(
            coil=self._coil,
            lines=self._inspector.lines,
            total_lines=self._source.total_lines,
            length_m=self._inspector.length_m,
            defects=self._inspector.defects,
            throughput_mpx_s=self._throughput_mpx_s(),
            latency_p50_ms=self._latency.p50_ms,
        )

    def _throughput_mpx_s(self) -> float:
        pixels = self._inspector.lines * self._source.width_px
        return pixels / 1e6 / max(time.monotonic() - self._started, 1e-9)

    def _stats(self) -> dict[str, Stat]:
        counted = self._source.stats if isinstance(self._source, CountingSource) else {}
        return {
            **self._latency.figures(),
            "throughput_mpx_s": self._throughput_mpx_s(),
            "dropped_blocks": self._acquisition.dropped_blocks,
            "dropped_lines": self._acquisition.dropped_lines,
            **self._inspector.stats(),
            **counted,
        }


def roll_watch(coil: str, station: Station) -> RollWatch:
    """Return what watches a coil for the marks of a station's rolls."""
    options = station.roll_repeat
    return RollWatch(
        coil=coil,
        rolls=[section.roll for section in station.roll],
        false_alarms=options.false_alarms_per_coil,
        min_diameter_mm=options.min_diameter_mm,
        max_diameter_mm=options.max_diameter_mm,
    )


def _announce(repeats: Iterable[RollRepeat]) -> None:
    for repeat in repeats:
        if repeat.phase is DefectPhase.NEW:
            logger.warning(
                "a roll leaves marks",
                extra={
                    "coil": repeat.coil,
                    "repeat": repeat.number,
                    "class": repeat.class_name,
                    "rolls": ", ".join(repeat.rolls) or None,
                    "period_mm": round(repeat.period_mm, 1),
                    "diameter_mm": round(repeat.diameter_mm, 1),
                    "across_mm": round(repeat.across_mm, 1),
                    "first_m": round(repeat.first_m, 3),
                    "last_m": round(repeat.last_m, 3),
                },
            )


def now() -> str:
    """Return the time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
