"""Runs a station: source, model and store put to work together."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

from stripscan.contract.errors import CameraError
from stripscan.runtime.coil_run import Progress
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.conditioning.station_field import station_flat_field
from stripscan.runtime.grading import recover_coils, station_rules
from stripscan.runtime.line import Line, RunResult
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.rules.load import Rules
from stripscan.runtime.shutdown import Shutdown
from stripscan.runtime.sources import open_source
from stripscan.runtime.station import Station
from stripscan.runtime.station_model import (
    LoadedModel,
    default_bundle_path,
    load_model,
    station_bundle,
    station_engine,
)
from stripscan.runtime.store import Store

__all__ = [
    "Progress",
    "RunResult",
    "default_bundle_path",
    "run_station",
    "station_bundle",
    "station_engine",
]


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
    shutdown = Shutdown()
    with shutdown.listening():
        try:
            return _run(station, shutdown, on_progress)
        except CameraError:
            if shutdown.requested:  # a source that was stopped while it was being opened
                raise KeyboardInterrupt from None
            raise


def _run(
    station: Station, shutdown: Shutdown, on_progress: Callable[[Progress], None]
) -> RunResult:
    bundle = station_bundle(station)
    rules = station_rules(station, bundle)
    with closing(load_model(station, bundle)) as model:
        return _run_line(
            station, model=model, rules=rules, shutdown=shutdown, on_progress=on_progress
        )


def _run_line(
    station: Station,
    *,
    model: LoadedModel,
    rules: Rules,
    shutdown: Shutdown,
    on_progress: Callable[[Progress], None],
) -> RunResult:
    opened = open_source(station)
    shutdown.on_request(opened.stop)
    with Store.open(station.store.path) as store:
        recover_coils(store, rules)
        with opened as source:
            line = Line(
                station=station,
                source=source,
                store=store,
                model=model,
                rules=rules,
                flat_field=station_flat_field(station, width_px=source.width_px),
                orders=OrderBook("this station inspects one coil from its start to its end"),
                on_progress=on_progress,
            )
            shutdown.on_request(line.stop)
            coil = station.coil.id or f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{station.name}"
            return line.run(PlannedCoil(id=coil, length_m=station.coil.length_m))
