"""What tests of events share: a store with news, and a line that plays into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.line import Line
from stripscan.runtime.line_state import LineState
from stripscan.runtime.news import News
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.outbox_tables import OutboxTables
from stripscan.runtime.rules.load import load_rules
from stripscan.runtime.shutdown import Hangup
from stripscan.runtime.station import Station
from stripscan.runtime.station_events import AlarmSection
from stripscan.runtime.store import Store
from stripscan.runtime.supervision import Supervisor
from unit.runtime.inspection_samples import station
from unit.runtime.line_samples import Tape, keeper

Event = dict[str, Any]


@contextmanager
def newsroom(
    place: Path | str, *sinks: str, alarm: AlarmSection | None = None
) -> Iterator[tuple[Store, News]]:
    """Open a store and what tells of it."""
    with Store.open(place) as store:
        yield store, News(store, "line 1", sinks=sinks, alarm=alarm)


def waiting(store: Store, after: int = 0) -> list[Event]:
    """Return the events behind a position."""
    rows = OutboxTables(store.backend).after(after, 100_000)
    return [from_json(row.text) for row in rows]


def play(
    store: Store,
    news: News,
    tape: Tape,
    *,
    coil: str | None = None,
    book: OrderBook | None = None,
    supervisor: Supervisor | None = None,
    setup: Station | None = None,
) -> None:
    """Run a line over a tape."""
    supervisor, setup = supervisor or Supervisor(), setup or station()
    supervisor.enter(LineState.WARMING)
    with tape as source:
        line = Line(
            station=setup,
            source=source,
            store=store,
            models=keeper(setup),
            rules=load_rules(None),
            flat_field=None,
            supervisor=supervisor,
            reload=Hangup().taken,
            orders=book or OrderBook("one coil"),
            on_progress=lambda _: None,
            news=news,
        )
        line.run(PlannedCoil(id=coil) if coil else None)
