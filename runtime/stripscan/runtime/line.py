"""The main loop: coil after coil under the cameras, while their source runs on."""

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stripscan.contract.block import Block, LineRange
from stripscan.contract.errors import CameraLost, StripscanError
from stripscan.runtime.acquire import acquire
from stripscan.runtime.alarms import AlarmKind
from stripscan.runtime.bands import Span
from stripscan.runtime.block_feed import BlockFeed
from stripscan.runtime.coil_run import CoilRun, Progress
from stripscan.runtime.coil_switch import CoilChange, CoilSwitch, PlannedCoil
from stripscan.runtime.conditioning.flat_field import FlatField
from stripscan.runtime.encoder import Encoder, Placed
from stripscan.runtime.grading import station_rules
from stripscan.runtime.line_state import LineState
from stripscan.runtime.model_keeper import ModelKeeper
from stripscan.runtime.news import News
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.overload import Overload
from stripscan.runtime.panorama.cameras import JoinedCameras
from stripscan.runtime.panorama.joiner import JoinedBlock
from stripscan.runtime.panorama.surface import Surface
from stripscan.runtime.rules.load import Rules
from stripscan.runtime.sources import FrameSource
from stripscan.runtime.sources.base import CountingSource
from stripscan.runtime.station import Station
from stripscan.runtime.store import Store
from stripscan.runtime.store_records import CoilStatus
from stripscan.runtime.supervision import CoilNow, Supervisor
from stripscan.runtime.trust import BlockTrust
from stripscan.runtime.wall_clock import WallClock, utc_now

logger = logging.getLogger(__name__)

_TURN_S = 0.2
"""How long the loop waits for a block before it looks for anything else to do."""

_LOOK_S = 1.0
"""From one look at the camera's counts to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended.

    Attributes:
        coil: The last coil; empty where none was started.
        coils: How many coils there were.
        interrupted: Whether it was stopped before its end; everything is saved.
    """

    coil: str
    coils: int
    interrupted: bool


class Line:
    """Inspects what passes under the cameras.

    Args:
        station: The station.
        source: Where the lines come from; entered.
        store: Where everything goes.
        models: What inspects it, and what may follow.
        rules: Severity and grade.
        flat_field: Gain and offset of the columns of a single camera, if they were learned.
        orders: Changes of the coil.
        supervisor: Who is told what happens.
        reload: Whether somebody has asked since the last call to read the rules again.
        on_progress: Called after each band.
        news: Who is told what is found; nobody where None.
        wall: The time of day.
    """

    def __init__(
        self,
        *,
        station: Station,
        source: FrameSource,
        store: Store,
        models: ModelKeeper,
        rules: Rules,
        flat_field: FlatField | None,
        orders: OrderBook,
        supervisor: Supervisor,
        reload: Callable[[], bool],
        on_progress: Callable[[Progress], None],
        news: News | None = None,
        wall: WallClock = utc_now,
    ) -> None:
        self._station = station
        self._news = news or News(store, station.name)
        self._source = source
        self._store = store
        self._models = models
        self._rules = rules
        self._surfaces = _surfaces(station, source, flat_field)
        self._orders = orders
        self._supervisor = supervisor
        self._reload = reload
        self._on_progress = on_progress
        self._wall = wall
        self._acquisition = acquire(source, station.pipeline)
        self._overload = Overload(station.pipeline, live=source.live)
        self._switch = CoilSwitch()
        self._cuts = False
        self._encoder: Encoder | None = None
        self._held_ns: int | None = None  # of the block that waits in the encoder
        self._trust = BlockTrust(mm_per_px=station.camera.mm_per_px)
        self._run: CoilRun | None = None
        self._show_what_inspects()
        self._coil = ""
        self._coils = 0
        self._idle_lines = 0
        self._look_s = 0.0
        self._stopped = False

    def _show_what_inspects(self) -> None:
        bundle = self._models.model.bundle
        self._supervisor.bundle = (bundle.manifest.name, bundle.digest)
        self._supervisor.rules = str(self._rules)

    def stop(self) -> None:
        """End early, from any thread; lines that have arrived are still inspected."""
        self._stopped = True
        self._acquisition.stop()

    def run(self, first: PlannedCoil | None = None) -> RunResult:
        """Inspect until the source ends or ``stop`` is called.

        Args:
            first: The coil that begins with the first line; without one, orders tell.

        Raises:
            StripscanError: The source, the model or the store failed. What was inspected until
                then is in the store, and the coil is marked as failed.
        """
        self._cuts = first is None
        if self._cuts and (setup := self._station.encoder):
            self._encoder = Encoder(setup, mm_per_line=self._station.camera.mm_per_line)
        feed = BlockFeed(self._acquisition.blocks())
        self._supervisor.enter(LineState.READY)
        try:
            if first is not None:
                self._run = self._begin(first, total_lines=self._source.total_lines)
            self._review()
            for block in feed.turns(_TURN_S):
                self._turn(block)
                self._review()
            self._supervisor.enter(LineState.STOPPING)
            self._settle()
            self._pass_over(self._switch.passed_lines)
            self._end("interrupted" if self._stopped else "complete")
            self._tell()
        except BaseException as error:
            self._acquisition.stop()
            self._fail(error)
            raise
        finally:
            self._acquisition.stop()
            feed.close()
        return RunResult(coil=self._coil, coils=self._coils, interrupted=self._stopped)

    def _review(self) -> None:
        if self._stopped:
            self._supervisor.enter(LineState.STOPPING)
        else:
            troubles = (self._models.trouble, self._camera_trouble())
            self._supervisor.trouble = "; ".join(filter(None, troubles))
            self._supervisor.behind = self._overload.hurries
            self._supervisor.review()
        self._tell()
        self._supervisor.beat("waiting for lines")

    def _tell(self) -> None:
        supervisor = self._supervisor
        self._news.turn(supervisor.state, supervisor.reason, trouble=supervisor.trouble)
        if time.monotonic() > self._look_s:
            self._news.cameras(self._counted().get("reconnects", 0))
            self._look_s = time.monotonic() + _LOOK_S

    def _turn(self, block: Block | None) -> None:
        if self._reload():
            self._read_rules()
        for order in self._orders.take():
            self._switch.order(order)
        if block is None:
            for change in self._switch.settle(time.monotonic_ns()):
                self._change(change)
            return
        self._supervisor.beat("inspecting")
        figures = self._supervisor.figures
        lost = figures.take(block)
        if isinstance(block, JoinedBlock):
            lost += block.lost_lines
            figures.lost_lines += block.lost_lines
        self._supervisor.lost(lost)
        figures.dropped_blocks = self._acquisition.dropped_blocks
        hurry = self._overload.review(self._acquisition.waiting_blocks)
        figures.gate_only_switches = self._overload.switches
        for placed in self._placed(block):
            self._pass(placed, hurry=hurry)

    def _placed(self, block: Block) -> tuple[Placed, ...]:
        """Return where lines lie that were cut out of one running strip.

        With an encoder that is the block before. Where all of it was seen before, the strip went
        back and no coil went on: what was ordered then lies at the furthest point.
        """
        if self._encoder is None:
            return (Placed(block=block),)
        held_ns, self._held_ns = self._held_ns, block.host_ns
        placed = self._encoder.place(block)
        if not placed and held_ns is not None:
            for change in self._switch.rest(held_ns):
                self._change(change)
        return placed

    def _pass(self, placed: Placed, *, hurry: bool = False) -> None:
        """Give lines to the coils that they belong to."""
        # Blocks are judged before they are cut: half of a repeated image is none.
        spans = self._judged(placed)
        for part in self._switch.cut(placed.block):
            if isinstance(part, CoilChange):
                self._change(part)
            elif self._run is not None:
                self._run.push(part, spans=self._of_part(part, spans), hurry=hurry)

    def _judged(self, placed: Placed) -> tuple[Span, ...] | None:
        """Return what cannot be trusted of lines; None where the coil's own chain tells."""
        if isinstance(placed.block, JoinedBlock):
            return placed.block.spans
        return self._trust.spans_of(placed) if self._cuts else None

    def _camera_trouble(self) -> str:
        return self._source.trouble if isinstance(self._source, JoinedCameras) else ""

    def _of_part(self, part: Block, spans: tuple[Span, ...] | None) -> tuple[Span, ...] | None:
        """Return the spans on the lines of a part, counted as the part counts."""
        if spans is None:
            return None
        head = self._switch.head_line
        moved = (
            dataclasses.replace(
                span,
                lines=LineRange(
                    start=max(span.lines.start - head, part.lines.start),
                    stop=min(span.lines.stop - head, part.lines.stop),
                ),
            )
            for span in spans
        )
        return tuple(span for span in moved if span.lines.lines > 0)

    def _read_rules(self) -> None:
        """Judge by the rules as they are now; where they are wrong, go on with those before."""
        try:
            self._rules = station_rules(self._station, self._models.model.bundle)
        except StripscanError as error:
            logger.error("rules are not reloaded", extra={"reason": str(error)})
            return
        if self._run is not None:
            self._run.use_rules(self._rules)
        self._show_what_inspects()
        logger.info("rules are reloaded", extra={"rules": str(self._rules)})

    def _settle(self) -> None:
        """Carry out what was ordered and has met no block: none comes any more."""
        self._orders.close("the station stops")
        for order in self._orders.take():
            self._switch.order(order)
        for placed in self._encoder.flush() if self._encoder else ():
            self._pass(placed)
        for change in self._switch.settle_all():
            self._change(change)

    def _change(self, change: CoilChange) -> None:
        self._pass_over(change.passed_lines)
        self._end("complete", tail=change)
        if self._models.change():
            self._show_what_inspects()
        if change.coil is not None:
            self._models.look(self._rules)
            self._run = self._begin(change.coil, lines_before=self._idle_lines)
            self._idle_lines = 0

    def _begin(
        self, coil: PlannedCoil, *, total_lines: int | None = None, lines_before: int | None = None
    ) -> CoilRun:
        run = CoilRun(
            coil=coil,
            station=self._station,
            surfaces=self._surfaces,
            model=self._models.model,
            rules=self._rules,
            store=self._store,
            news=self._news,
            trust=self._trust,
            total_lines=total_lines,
            counted=self._counted,
            lines_before=lines_before,
            figures=self._supervisor.figures,
            view=self._supervisor.view,
            on_progress=self._show,
            wall=self._wall,
        )
        self._coil = coil.id
        self._coils += 1
        self._supervisor.coil = CoilNow(plan=coil, progress=run.progress())
        logger.info("coil started", extra={"coil": coil.id, "lines_before": lines_before or 0})
        return run

    def _show(self, progress: Progress) -> None:
        """Pass on where the coil is, and that the loop turns: a block may have many bands."""
        self._supervisor.beat("inspecting")
        if self._run is not None:
            self._supervisor.coil = CoilNow(plan=self._run.plan, progress=progress)
        self._on_progress(progress)

    def _end(self, status: CoilStatus, *, tail: CoilChange | None = None) -> None:
        run, self._run = self._run, None
        self._supervisor.coil = None
        if run is not None:
            self._supervisor.beat("closing a coil")
            run.end(status, tail=tail)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, StripscanError):
            logger.error("coil failed", extra={"coil": self._coil, "reason": str(error)})
        self._end("failed")
        if isinstance(error, CameraLost):
            with self._news.transaction():
                self._news.alert(AlarmKind.CAMERA, str(error), coil=self._coil or None)

    def _pass_over(self, lines: int) -> None:
        """Count lines that passed under the camera, if no coil took them."""
        if lines and self._run is None:
            self._idle_lines += lines
            self._supervisor.figures.lines_without_coil += lines
            logger.info("lines without a coil", extra={"lines": lines})

    def _counted(self) -> Mapping[str, int]:
        counted = self._source.stats if isinstance(self._source, CountingSource) else {}
        dropped = self._acquisition
        placed = self._encoder.counts() if self._encoder else {}
        return {
            "dropped_blocks": dropped.dropped_blocks,
            "dropped_lines": dropped.dropped_lines,
            **self._overload.counts(),
            **counted,
            **placed,
        }


def _surfaces(
    station: Station, source: FrameSource, flat_field: FlatField | None
) -> tuple[Surface, ...]:
    """Return what of a source's blocks is which side of the strip."""
    if isinstance(source, JoinedCameras):
        return source.surfaces
    whole = slice(0, source.width_px)
    return (Surface(station=station, columns=whole, flat_field=flat_field),)
