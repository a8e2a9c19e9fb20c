"""One coil from its head to its tail: what is found goes into the store as it comes."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from stripscan.contract.block import Block, LineRange
from stripscan.contract.coverage import CoverageInterval, CoverageStatus, append_interval
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.bands import Span
from stripscan.runtime.coil_news import CoilNews
from stripscan.runtime.coil_switch import CoilChange, PlannedCoil
from stripscan.runtime.grading import grade_ended
from stripscan.runtime.inspector import Outcome, classes_of, rest_of_coil
from stripscan.runtime.latency import StageLatency, deadline_ms
from stripscan.runtime.line_figures import LineFigures
from stripscan.runtime.news import News
from stripscan.runtime.panorama.surface import Surface
from stripscan.runtime.rules.judge import SeverityJudge
from stripscan.runtime.rules.load import Rules
from stripscan.runtime.rules.tally import CoilTally
from stripscan.runtime.station import Station
from stripscan.runtime.station_model import LoadedModel
from stripscan.runtime.store import CoilRecord, Store
from stripscan.runtime.store_records import CoilStatus, Stat
from stripscan.runtime.strip_view import Sight, StripView
from stripscan.runtime.surface_chain import SurfaceChain, surface_chains
from stripscan.runtime.trust import BlockTrust
from stripscan.runtime.wall_clock import CoilClock, WallClock, utc_now

logger = logging.getLogger(__name__)

_CLOCK_SLEW_S = 1.0
"""A clock that is kept in step is less off than this over a coil; more, and it was set."""


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
        station: Cameras, tiles and stitching.
        surfaces: What of the blocks is which side of the strip.
        model: What inspects it.
        rules: Severity while it runs, and its grade at the end.
        store: Where everything goes.
        news: Who is told of it.
        trust: Judges the blocks of one camera; those of several were judged before.
        total_lines: Lines that are expected, where the source knows it.
        counted: Counts that run on from coil to coil, read at head and tail.
        lines_before: Lines that passed since the coil before it, where coils come one by one.
        figures: Where it is counted what was found.
        view: Where the strip is shown.
        on_progress: Called after each band.
        wall: The time of day.
    """

    def __init__(
        self,
        *,
        coil: PlannedCoil,
        station: Station,
        surfaces: Sequence[Surface],
        model: LoadedModel,
        rules: Rules,
        store: Store,
        news: News,
        trust: BlockTrust,
        total_lines: int | None,
        counted: Callable[[], Mapping[str, int]],
        lines_before: int | None,
        figures: LineFigures,
        view: StripView,
        on_progress: Callable[[Progress], None],
        wall: WallClock = utc_now,
    ) -> None:
        self._plan = coil
        self._lines_before = lines_before
        self._figures = figures
        self._view = view
        self._on_progress = on_progress
        self._coil = coil.id
        self._station = station
        self._classes = classes_of(model.bundle.manifest)
        self._store = store
        self._width_px = sum(surface.width_px for surface in surfaces)
        self._total_lines = total_lines
        self._counted = counted
        self._counted_before = counted()
        self._chains = surface_chains(coil.id, surfaces, model=model, trust=trust)
        self._lead = self._chains[0].inspector  # takes each block first
        self.use_rules(rules)
        self._latency = StageLatency(deadline_ms(self._lead.core_lines, station.camera))
        self._ledger: dict[str, CoverageInterval] = {}  # the last of each camera
        self._clock = CoilClock(wall)
        self._desk = news
        self._news = CoilNews(news, coil.id, classes=self._classes)
        record = self._record(model)
        with news.transaction():
            store.start_coil(record)
            self._news.started(coil, record)

    @property
    def plan(self) -> PlannedCoil:
        """The coil."""
        return self._plan

    def use_rules(self, rules: Rules) -> None:
        """Judge by these rules from now on, and at the end the whole coil."""
        self._rules = rules
        self._judge = SeverityJudge(rules.file, self._classes)
        # What other rules have judged is read from the store again when the coil ends.
        begins = not any(chain.inspector.defects for chain in self._chains)
        self._tally = CoilTally(rules.file, self._classes) if begins else None

    def push(self, block: Block, *, spans: tuple[Span, ...] | None, hurry: bool = False) -> None:
        """Inspect a block and commit what it changes.

        Args:
            block: The next block, counted from the head of the coil.
            spans: What cannot be trusted of it; judged here where None.
            hurry: The gate alone looks at it.

        Raises:
            StripscanError: The model or the store failed; ``end`` is still to be called.
        """
        for chain in self._chains:
            found = chain.inspector.push(chain.part(block), spans=spans, hurry=hurry)
            self._take(chain, found)

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
            with ExitStack() as all_of_them:  # where one fails, the others are closed as well
                for chain in reversed(self._chains):
                    all_of_them.callback(self._take, chain, chain.inspector.finish())
            ended = status
        finally:
            self._close(ended, tail)
            logger.info("coil ended", extra={"coil": self._coil, "status": ended})

    def progress(self) -> Progress:
        """Return where the coil is."""
        return Progress(
            coil=self._coil,
            lines=self._lead.lines,
            total_lines=self._total_lines,
            length_m=self._lead.length_m,
            defects=sum(chain.inspector.defects for chain in self._chains),
            throughput_mpx_s=self._throughput_mpx_s(),
            latency_p50_ms=self._latency.p50_ms,
        )

    def _record(self, model: LoadedModel) -> CoilRecord:
        camera = self._station.camera
        return CoilRecord(
            id=self._coil,
            station=self._station.name,
            camera=", ".join(name for chain in self._chains for name in chain.surface.cameras),
            surface=", ".join(chain.surface.name for chain in self._chains),
            started_at=self._clock.started_at,
            width_px=max(chain.surface.width_px for chain in self._chains),
            mm_per_px=camera.mm_per_px,
            mm_per_line=camera.mm_per_line,
            bundle_name=model.bundle.manifest.name,
            bundle_digest=model.bundle.digest,
            classes=self._classes,
        )

    def _take(self, chain: SurfaceChain, outcomes: Iterator[Outcome]) -> None:
        try:
            begun_ns = time.monotonic_ns()
            for outcome in outcomes:
                found_ns = time.monotonic_ns()
                self._keep(chain, outcome)
                if outcome.coverage:
                    stored_ns = time.monotonic_ns()
                    self._latency.add(outcome.host_ns, begun_ns, found_ns, stored_ns)
                    self._figures.latency.add((stored_ns - outcome.host_ns) / 1e6)
                self._on_progress(self.progress())
                begun_ns = time.monotonic_ns()
        except BaseException:
            for each in self._chains:
                each.inspector.abandon()
            raise

    def _keep(self, chain: SurfaceChain, outcome: Outcome) -> None:
        repeats = chain.rolls.push(outcome.changes.defects, settled_m=outcome.settled_m)
        defects = [self._judge.so_far(defect) for defect in outcome.changes.defects]
        with self._desk.transaction():
            for gone, into in outcome.changes.merged:
                self._store.merge_defect(self._coil, gone, into)
                self._news.merged(gone, into)
            for defect in defects:
                self._store.put_defect(defect)
                self._news.defect(defect)
            for number, runs in outcome.changes.runs:
                self._store.add_runs(self._coil, number, runs)
            for number, picture in outcome.pictures:
                self._store.put_picture(self._coil, number, picture)
            for repeat in repeats:
                self._store.put_roll_repeat(repeat)
                self._news.repeat(repeat)
            ledger = self._cover(*outcome.coverage)
        self._ledger = ledger
        self._count(defects)
        self._figures.keep(outcome)
        self._show(chain, outcome)
        _announce(repeats, chain.surface.name)

    def _count(self, defects: Iterable[Defect]) -> None:
        """Count for the grade what is committed."""
        if self._tally is None:
            return
        for defect in defects:
            if defect.phase is DefectPhase.END:
                self._tally.add(defect)
        if self._ledger:
            self._tally.passed(max(end.along_end_m for end in self._ledger.values()))

    def _show(self, chain: SurfaceChain, outcome: Outcome) -> None:
        """Show the strip as it passes: of two surfaces the first."""
        if chain is self._chains[0] and outcome.thumb is not None and outcome.coverage:
            sight = Sight(
                coil=self._coil,
                pixels=outcome.thumb,
                width_px=chain.surface.width_px,
                coverage=outcome.coverage,
            )
            self._view.keep(sight)

    def _cover(self, *intervals: CoverageInterval) -> dict[str, CoverageInterval]:
        """Store intervals and return the end of each camera's ledger, valid once committed."""
        ledger = dict(self._ledger)
        for interval in intervals:
            self._news.covered(interval)
            last = ledger.get(interval.camera)
            end = append_interval([last] if last else [], interval)[-1]
            self._store.put_coverage(self._coil, end)
            ledger[interval.camera] = end
        return ledger

    def _close(self, status: CoilStatus, tail: CoilChange | None) -> None:
        rest, ended_at = tuple(self._not_inspected(tail)), self._clock.ended_at()
        with self._desk.transaction():
            if status == "failed":  # what was told with the band that failed was not committed
                self._news.resume(self._store.coverage(self._coil))
            ledger = self._cover(*rest)
            for chain in self._chains:
                for repeat in chain.rolls.finish():
                    self._store.put_roll_repeat(repeat)
                    self._news.repeat(repeat)
            length_m = max((end.along_end_m for end in ledger.values()), default=0.0)
            self._store.finish_coil(
                self._coil,
                ended_at=ended_at,
                status=status,
                length_m=length_m,
                stats=self._stats(),
            )
            # After a failure the store may have less than was counted.
            tally = None if status == "failed" else self._tally
            judged = grade_ended(self._store, self._coil, self._rules, tally, graded_at=ended_at)
            covered = self._store.coverage(self._coil)
            self._news.ended(status, length_m, coverage=covered, defects=judged.defects)
            self._news.graded(judged)
        self._figures.cover(rest)
        self._figures.coils[status] += 1

    def _not_inspected(self, tail: CoilChange | None) -> Iterator[CoverageInterval]:
        """Yield what arrived and was not inspected, and what never arrived, for each camera."""
        for chain in self._chains:
            for name in chain.surface.cameras:
                yield from self._not_inspected_by(name, tail)

    def _not_inspected_by(self, camera: str, tail: CoilChange | None) -> Iterator[CoverageInterval]:
        arrived, length_m = self._lead.lines, self._lead.length_m
        last = self._ledger.get(camera)
        covered = last.lines.stop if last else 0
        if covered < arrived:
            yield CoverageInterval(
                camera=camera,
                lines=LineRange(start=covered, stop=arrived),
                along_start_m=last.along_end_m if last else 0.0,
                along_end_m=length_m,
                status=CoverageStatus.DROPPED,
                reason="the run failed before this strip was inspected",
            )
        if tail and arrived < tail.passed_lines:
            yield CoverageInterval(
                camera=camera,
                lines=LineRange(start=arrived, stop=tail.passed_lines),
                along_start_m=length_m,
                along_end_m=tail.passed_m,
                status=CoverageStatus.DROPPED,
                reason="lost lines",
            )
        planned = self._total_lines or 0
        if arrived < planned:
            yield rest_of_coil(
                camera=camera,
                lines=LineRange(start=arrived, stop=planned),
                along_start_m=length_m,
                mm_per_line=self._station.camera.mm_per_line,
            )

    def _throughput_mpx_s(self) -> float:
        pixels = self._lead.lines * self._width_px
        return pixels / 1e6 / max(self._clock.passed_s, 1e-9)

    def _stats(self) -> dict[str, Stat]:
        before = self._counted_before
        told: dict[str, Stat] = {
            "planned_length_m": self._plan.length_m,
            "planned_width_mm": self._plan.width_mm,
            "lines_before_coil": self._lines_before,
            "clock_set_s": self._clock_set_s(),
        }
        return {
            **self._latency.figures(),
            "throughput_mpx_s": self._throughput_mpx_s(),
            **{name: value for name, value in told.items() if value is not None},
            **{name: n - before.get(name, 0) for name, n in self._counted().items()},
            **self._surface_stats(),
        }

    def _surface_stats(self) -> dict[str, Stat]:
        """Return the figures of the surfaces, by name where there are two."""
        if len(self._chains) == 1:
            return self._chains[0].stats()
        return {
            f"{chain.surface.name}: {name}": value
            for chain in self._chains
            for name, value in chain.stats().items()
        }

    def _clock_set_s(self) -> float | None:
        """Return how far the time of day was set while the coil ran, where it was."""
        set_s = round(self._clock.set_s(), 3)
        if abs(set_s) < _CLOCK_SLEW_S:
            return None
        logger.warning("the clock was set", extra={"coil": self._coil, "by_s": set_s})
        return set_s


def _announce(repeats: Iterable[RollRepeat], surface: str) -> None:
    for repeat in repeats:
        if repeat.phase is DefectPhase.NEW:
            logger.warning(
                "a roll leaves marks",
                extra={
                    "coil": repeat.coil,
                    "repeat": repeat.number,
                    "class": repeat.class_name,
                    "surface": surface,
                    "rolls": ", ".join(repeat.rolls) or None,
                    "period_mm": round(repeat.period_mm, 1),
                    "diameter_mm": round(repeat.diameter_mm, 1),
                    "across_mm": round(repeat.across_mm, 1),
                    "first_m": round(repeat.first_m, 3),
                    "last_m": round(repeat.last_m, 3),
                },
            )
