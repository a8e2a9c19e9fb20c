"""Who is told what a station finds: its sinks and its PLC, as the station file says.

What a station does not use is not imported.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stripscan.runtime.control.level2 import Level2Desk
from stripscan.runtime.news import News
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.outbox_tables import OutboxTables
from stripscan.runtime.plc.registers import RegisterMap
from stripscan.runtime.sinks.base import Sink
from stripscan.runtime.sinks.runner import SinkRunner
from stripscan.runtime.station import Station
from stripscan.runtime.store import Store
from stripscan.runtime.supervision import Supervisor
from stripscan.terminal.extras import needs_extra

if TYPE_CHECKING:
    from stripscan.runtime.plc.server import PlcServer


def sink_names(station: Station) -> tuple[str, ...]:
    """Return the sinks that a station file names."""
    named = {"mqtt": station.mqtt, "webhook": station.webhook}
    return tuple(name for name, section in named.items() if section is not None)


def station_news(station: Station, store: Store) -> News:
    """Return what collects the events of a station.

    Raises:
        StoreError: The store cannot be read or written.
    """
    return News(
        store,
        station.name,
        sinks=sink_names(station),
        alarm=station.alarm,
        outbox=station.outbox,
    )


def station_sinks(station: Station, desk: Level2Desk | None = None) -> list[Sink]:
    """Return the sinks of a station, not connected yet.

    Args:
        station: What it names.
        desk: Who answers commands.

    Raises:
        ConfigError: A secret, certificate or key cannot be read.
    """
    sinks: list[Sink] = []
    if station.mqtt is not None:
        with needs_extra("mqtt", "[mqtt] in a station file"):
            from stripscan.runtime.sinks.mqtt import MqttSink  # noqa: PLC0415
        sinks.append(MqttSink(station.name, station.mqtt, desk if station.mqtt.commands else None))
    if station.webhook is not None:
        from stripscan.runtime.sinks.webhook import WebhookSink  # noqa: PLC0415

        sinks.append(WebhookSink(station.webhook))
    return sinks


def check_receivers(station: Station) -> None:
    """Refuse what would stop a station that is to tell somebody; nobody is asked.

    Raises:
        StripscanError: A secret, certificate or key cannot be read, or a package is missing.
    """
    station_sinks(station)
    if station.modbus is not None:
        _plc_server()


def _plc_server() -> "type[PlcServer]":
    with needs_extra("modbus", "[modbus] in a station file"):
        from stripscan.runtime.plc.server import PlcServer  # noqa: PLC0415
    return PlcServer


@contextmanager
def telling(
    station: Station, news: News, *, orders: OrderBook, supervisor: Supervisor
) -> Iterator[None]:
    """Tell whoever is to be told, until the block ends.

    Args:
        station: Who that is.
        news: What is told; closed at the end.
        orders: Where coil changes go.
        supervisor: What a PLC is shown.

    Raises:
        ConfigError: A secret cannot be read, or the PLC's address is taken.
    """
    sinks = station_sinks(station, Level2Desk(orders, news.alarms))
    with ExitStack() as stack:
        stack.callback(news.close)
        if station.modbus is not None:
            shown = RegisterMap(supervisor, news)
            stack.enter_context(_plc_server()(station.modbus.listen_at, shown))
        for sink in sinks:
            runner = SinkRunner(
                sink, outbox=news.outbox, bell=news.bell, reading=reading(station.store.path)
            )
            stack.enter_context(runner)
        yield


def undelivered_coils(station: Station) -> Callable[[], set[str]]:
    """Return what tells, in any thread, of which coils events are still on their way."""

    def coils() -> set[str]:
        with reading(station.store.path)() as tables:
            return tables.coils()

    return coils


def reading(where: Path | str) -> Callable[[], AbstractContextManager[OutboxTables]]:
    """Return what opens the events of a store to be read in another thread."""

    @contextmanager
    def tables() -> Iterator[OutboxTables]:
        with Store.open(where, readonly=True) as store:
            yield OutboxTables(store.backend)

    return tables
