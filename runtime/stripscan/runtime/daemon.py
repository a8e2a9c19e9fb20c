"""Runs a station: source, model and store put to work together."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime

from stripscan.contract.errors import CameraError
from stripscan.runtime.acquire import open_lines
from stripscan.runtime.coil_run import Progress
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.conditioning.station_field import station_flat_field
from stripscan.runtime.control.desk import Desk
from stripscan.runtime.control.metrics import Metrics
from stripscan.runtime.control.server import ControlServer, read_token
from stripscan.runtime.grading import recover_coils, station_rules
from stripscan.runtime.inspector import tile_grid
from stripscan.runtime.line import Line, RunResult
from stripscan.runtime.line_state import LineState
from stripscan.runtime.model_keeper import ModelKeeper
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.shutdown import Hangup, Shutdown
from stripscan.runtime.sources import FrameSource
from stripscan.runtime.station import Station
from stripscan.runtime.station_control import ControlSection
from stripscan.runtime.station_model import (
    default_bundle_path,
    load_model,
    station_bundle,
    station_engine,
)
from stripscan.runtime.store import Store
from stripscan.runtime.store_keeper import StoreKeeper
from stripscan.runtime.supervision import Supervisor
from stripscan.runtime.systemd import Notifier
from stripscan.runtime.telling import station_news, telling, undelivered_coils

__all__ = [
    "Progress",
    "RunResult",
    "default_bundle_path",
    "run_station",
    "station_bundle",
    "station_engine",
]


_ONE_COIL = (
    "this station inspects one coil, from its start to its end: for coil after coil, "
    'write control = "commands" in [coil]'
)


def run_station(
    station: Station,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    lines: Callable[[Station], FrameSource] = open_lines,
) -> RunResult:
    """Inspect one coil, or coil after coil as commands tell, until SIGINT or SIGTERM.

    SIGHUP reads the rules again, for the coil that runs and all after it.

    Args:
        station: What to run.
        on_progress: Called after each band.
        lines: Makes what the lines come from.

    Raises:
        StripscanError: The source, the model or the store failed. What was inspected until then
            is in the store, and the coil is marked as failed.
    """
    shutdown, hangup = Shutdown(), Hangup()
    by_commands = station.coil.control == "commands"
    notifier = Notifier()
    supervisor = Supervisor(notifier=notifier)
    orders = OrderBook("the station is warming up" if by_commands else _ONE_COIL)
    with ExitStack() as stack:
        stack.enter_context(shutdown.listening())
        stack.enter_context(hangup.listening())
        if station.control or by_commands:
            section = station.control or ControlSection()
            stack.enter_context(_server(station, section, supervisor, orders))
        try:
            with notifier.starting():
                supervisor.enter(LineState.WARMING)
                line = _warmed_up(
                    station,
                    stack,
                    lines=lines,
                    shutdown=shutdown,
                    hangup=hangup,
                    supervisor=supervisor,
                    orders=orders,
                    on_progress=on_progress,
                )
            if by_commands:
                return line.run()
            coil = station.coil.id or f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{station.name}"
            return line.run(PlannedCoil(id=coil, length_m=station.coil.length_m))
        except CameraError:
            if shutdown.requested:  # a source that was stopped while it was being opened
                raise KeyboardInterrupt from None
            raise


def _server(
    station: Station, section: ControlSection, supervisor: Supervisor, orders: OrderBook
) -> ControlServer:
    desk = Desk(
        station.name,
        supervisor=supervisor,
        orders=orders,
        metrics=Metrics(station.name, supervisor=supervisor, store=station.store.path),
        token=read_token(section.token_file),
    )
    return ControlServer(section.listen_at, desk)


def _warmed_up(
    station: Station,
    stack: ExitStack,
    *,
    lines: Callable[[Station], FrameSource],
    shutdown: Shutdown,
    hangup: Hangup,
    supervisor: Supervisor,
    orders: OrderBook,
    on_progress: Callable[[Progress], None],
) -> Line:
    """Return a line that is ready to run; what it holds is given back by the stack."""
    bundle = station_bundle(station)
    rules = station_rules(station, bundle)
    models = stack.enter_context(closing(ModelKeeper(station, load_model(station, bundle))))
    opened = lines(station)
    shutdown.on_request(opened.stop)
    store = stack.enter_context(Store.open(station.store.path))
    news = station_news(station, store)
    news.turn(supervisor.state)
    recover_coils(store, rules, news)
    stack.enter_context(telling(station, news, orders=orders, supervisor=supervisor))
    stack.enter_context(StoreKeeper(station.store, protected=undelivered_coils(station)))
    source = stack.enter_context(opened)
    tile_grid(station, bundle.manifest, width_px=source.width_px)
    line = Line(
        station=station,
        source=source,
        store=store,
        models=models,
        rules=rules,
        flat_field=station_flat_field(station, width_px=source.width_px),
        orders=orders,
        supervisor=supervisor,
        reload=hangup.taken,
        on_progress=on_progress,
        news=news,
    )
    shutdown.on_request(line.stop)
    if station.coil.control == "commands":
        orders.open(record.id for record in store.coils())
    return line
