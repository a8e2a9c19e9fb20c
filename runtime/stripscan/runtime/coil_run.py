"""One coil from its head to its tail: what is found goes into the store as it comes."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from stripscan.contract.block import Block, LineRange
from stripscan.contract.coverage import CoverageInterval, CoverageStatus, append_interval
from stripscan.contract.defect import DefectPhase
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.bands import Span
from stripscan.runtime.coil_news import CoilNews
from stripscan.runtime.coil_switch import CoilChange, PlannedCoil
from stripscan.runtime.conditioning.flat_field import FlatField
from stripscan.runtime.grading import grade_ended
from stripscan.runtime.inspector import CoilInspector, Outcome, classes_of, rest_of_coil
from stripscan.runtime.latency import StageLatency, deadline_ms
from stripscan.runtime.line_figures import LineFigures
from stripscan.runtime.news import News
from stripscan.runtime.rolls import RollWatch
from stripscan.runtime.rules.judge import SeverityJudge
from stripscan.runtime.rules.load import Rules
from stripscan.runtime.station import Station
from stripscan.runtime.station_model import LoadedModel
from stripscan.runtime.store import CoilRecord, Store
from stripscan.runtime.store_records import CoilStatus, Stat
from stripscan.runtime.trust import BlockTrust

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a coil is.

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


class CoilRun:
    """Inspects the lines of one coil and keeps what is found; the coil is in the store at once.

    Args:
        coil: The coil.
        station: Camera, tiles and stitching.
        model: What inspects it.
        rules: Severity while it runs, and its grade at the end.
        store: Where everything goes.
        news: Who is told of it.
        width_px: Width of the camera's image.
        flat_field: Gain and offset of the camera's columns, if they were learned.
        trust: Judges the camera's blocks.
        total_lines: Lines that are expected, where the source knows it.
        counted: Counts that run on from coil to coil, read at head and tail.
        lines_before: Lines that passed since the coil before it, where coils come one by one.
        figures: Where it is counted what was found.
        on_progress: Called after each band.
    """

    def __init__(
        self,
        *,
        coil: PlannedCoil,
        station: Station,
        model: LoadedModel,
        rules: Rules,
        store: Store,
        news: News,
        width_px: int,
        flat_field: FlatField | None,
        trust: BlockTrust,
        total_lines: int | None,
        counted: Callable[[], Mapping[str, int]],
        lines_before: int | None,
        figures: LineFigures,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._plan = coil
        self._lines_before = lines_before
        self._figures = figures
        self._on_progress = on_progress
        self._coil = coil.id
        self._station = station
        self._classes = classes_of(model.bundle.manifest)
        self._store = store
        self._width_px = width_px
        self._total_lines = total_lines
        self._counted = counted
        self._counted_before = counted()
        self._inspector = CoilInspector(
            coil=coil.id,
            station=station,
            manifest=model.bundle.manifest,
            engine=model.engine,
            width_px=width_px,
            flat_field=flat_field,
            trust=trust,
        )
        self.use_rules(rules)
        self._rolls = roll_watch(coil.id, station)
        self._latency = StageLatency(deadline_ms(self._inspector.core_lines, station.camera))
        self._ledger: list[CoverageInterval] = []
        self._started = time.monotonic()
        self._desk = news
        self._news = CoilNews(news, coil.id, surface=station.camera.surface, classes=self._classes)
        with news.transaction():
            store.start_coil(self._record(model))
            bundle = model.bundle
            self._news.started(coil, bundle=bundle.manifest.name, bundle_digest=bundle.digest)

    @property
    def plan(self) -> PlannedCoil:
        """The coil."""
        return self._plan

    def use_rules(self, rules: Rules) -> None:
        """Judge by these rules from now on, and at the end the whole coil."""
        self._rules = rules
        self._judge = SeverityJudge(rules.file, self._classes, surface=self._station.camera.surface)

    def push(self, block: Block, *, spans: tuple[Span, ...] | None) -> None:
        """Inspect a block and commit what it changes.

        Args:
            block: The next block, counted from the head of the coil.
            spans: What cannot be trusted of it; judged here where None.

        Raises:
            StripscanError: The model or the store failed; ``end`` is still to be called.
        """
        self._take(self._inspector.push(block, spans=spans))

    def end(self, status: CoilStatus, *, tail: CoilChange | None = None) -> None:
        """Inspect what is left, and close and grade the coil.

        Args:
            status: How it ends; ``failed`` where this fails.
            tail: Where it ends, if the strip runs on.

        Raises:
            StripscanError: The model or the store failed.
        """
        ended: CoilStatus = "failed"
        try:
            self._take(self._inspector.finish())
            ended = status
        finally:
            self._close(ended, tail)
            logger.info("coil ended", extra={"coil": self._coil, "status": ended})

    def progress(self) -> Progress:
        """Return where the coil is."""
        return Progress(
            coil=self._coil,
            lines=self._inspector.lines,
            total_lines=self._total_lines,
            length_m=self._inspector.length_m,
            defects=self._inspector.defects,
            throughput_mpx_s=self._throughput_mpx_s(),
            latency_p50_ms=self._latency.p50_ms,
        )

    def _record(self, model: LoadedModel) -> CoilRecord:
        camera = self._station.camera
        return CoilRecord(
            id=self._coil,
            station=self._station.name,
            camera=camera.name,
            surface=camera.surface,
            started_at=_now(),
            width_px=self._width_px,
            mm_per_px=camera.mm_per_px,
            mm_per_line=camera.mm_per_line,
            bundle_name=model.bundle.manifest.name,
            bundle_digest=model.bundle.digest,
            classes=self._classes,
        )

    def _take(self, outcomes: Iterator[Outcome]) -> None:
        try:
            begun_ns = time.monotonic_ns()
            for outcome in outcomes:
                found_ns = time.monotonic_ns()
                self._keep(outcome)
                if outcome.coverage:
                    stored_ns = time.monotonic_ns()
                    self._latency.add(outcome.host_ns, begun_ns, found_ns, stored_ns)
                    self._figures.latency.add((stored_ns - outcome.host_ns) / 1e6)
                self._on_progress(self.progress())
                begun_ns = time.monotonic_ns()
        except BaseException:
            self._inspector.abandon()
            raise

    def _keep(self, outcome: Outcome) -> None:
        repeats = self._rolls.push(outcome.changes.defects, settled_m=outcome.settled_m)
        with self._desk.transaction():
            for gone, into in outcome.changes.merged:
                self._store.merge_defect(self._coil, gone, into)
                self._news.merged(gone, into)
            for defect in outcome.changes.defects:
                judged = self._judge.so_far(defect)
                self._store.put_defect(judged)
                self._news.defect(judged)
            for number, runs in outcome.changes.runs:
                self._store.add_runs(self._coil, number, runs)
            for number, picture in outcome.pictures:
                self._store.put_picture(self._coil, number, picture)
            for repeat in repeats:
                self._store.put_roll_repeat(repeat)
                self._news.repeat(repeat)
            ledger = self._cover(*outcome.coverage)
        self._ledger = ledger
        self._figures.keep(outcome)
        _announce(repeats)

    def _cover(self, *intervals: CoverageInterval) -> list[CoverageInterval]:
        """Store intervals and return the end of the ledger, valid once they are committed."""
        ledger = self._ledger
        for interval in intervals:
            self._news.covered(interval)
            ledger = append_interval(ledger[-1:], interval)
            self._store.put_coverage(self._coil, ledger[-1])
        return ledger

    def _close(self, status: CoilStatus, tail: CoilChange | None) -> None:
        rest = tuple(self._not_inspected(tail))
        with self._desk.transaction():
            ledger = self._cover(*rest)
            for repeat in self._rolls.finish():
                self._store.put_roll_repeat(repeat)
                self._news.repeat(repeat)
            length_m = ledger[-1].along_end_m if ledger else 0.0
            self._store.finish_coil(
                self._coil,
                ended_at=_now(),
                status=status,
                length_m=length_m,
                stats=self._stats(),
            )
            self._news.ended(status, length_m)
            self._news.graded(grade_ended(self._store, self._coil, self._rules))
        self._figures.cover(rest)
        self._figures.coils[status] += 1

    def _not_inspected(self, tail: CoilChange | None) -> Iterator[CoverageInterval]:
        """Yield what arrived and was not inspected, and what never arrived."""
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
        if tail and arrived < tail.passed_lines:
            yield CoverageInterval(
                camera=camera.name,
                lines=LineRange(start=arrived, stop=tail.passed_lines),
                along_start_m=self._inspector.length_m,
                along_end_m=tail.passed_m,
                status=CoverageStatus.DROPPED,
                reason="lost lines",
            )
        planned = self._total_lines or 0
        if arrived < planned:
            yield rest_of_coil(
                camera=camera.name,
                lines=LineRange(start=arrived, stop=planned),
                along_start_m=self._inspector.length_m,
                mm_per_line=camera.mm_per_line,
            )

    def _throughput_mpx_s(self) -> float:
        pixels = self._inspector.lines * self._width_px
        return pixels / 1e6 / max(time.monotonic() - self._started, 1e-9)

    def _stats(self) -> dict[str, Stat]:
        before = self._counted_before
        told: dict[str, Stat] = {
            "planned_length_m": self._plan.length_m,
            "planned_width_mm": self._plan.width_mm,
            "lines_before_coil": self._lines_before,
        }
        return {
            **self._latency.figures(),
            "throughput_mpx_s": self._throughput_mpx_s(),
            **{name: value for name, value in told.items() if value is not None},
            **{name: n - before.get(name, 0) for name, n in self._counted().items()},
            **self._inspector.stats(),
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
