"""Events on their way: written with what they tell of, read by each sink at its own pace.

The main loop alone writes. Sinks say from their own threads how far they are, and that is written
with the next commit: what a crash forgets is sent again, under the same id.
"""

import logging
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from stripscan.contract.event import EVENT, TYPE_PREFIX, EventData, source_of
from stripscan.runtime.outbox_tables import OutboxTables, Row

logger = logging.getLogger(__name__)

CLEAR_ROWS: Final = 2000
"""Most events that one commit clears: it must not hold up the inspection."""

_SCOPES: Final = 4
"""Coils whose last number is remembered; of others it is read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be told.

    Attributes:
        kind: Type of the event without its prefix, e.g. ``defect.new``.
        coil: The coil, where it is about one.
        data: The rest.
    """

    kind: str
    coil: str | None
    data: EventData


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parked:
    sink: str
    position: int
    reason: str


class Outbox:
    """The events of one station, and how far each sink is.

    Args:
        station: Name of the station.
        tables: Where they are kept.
        sinks: Who is to get them. One that is new begins with what comes now; what one that is
            gone has not got is told in the log and forgotten. Without any, nothing is kept.

    Raises:
        StoreError: The store cannot be written.
    """

    def __init__(self, station: str, tables: OutboxTables, sinks: Iterable[str] = ()) -> None:
        self._station = station
        self._tables = tables
        self._lock = threading.Lock()
        self._parked: list[_Parked] = []
        known, end = tables.cursors(), tables.end()
        self._end = end
        self._written = {sink: known.get(sink, end) for sink in sinks}
        for sink in sorted(known.keys() - self._written.keys()):
            left = tables.count_after(known[sink])
            logger.warning("a sink is gone", extra={"sink": sink, "undelivered": left})
            tables.forget(sink)
        for sink, position in self._written.items():
            tables.put_cursor(sink, position)
        if not self._written:
            tables.empty()
        self._told = dict(self._written)
        self._bytes = tables.total_bytes()
        self._rest = False  # whether there may be more to clear
        self._counted: dict[str, int] = {}  # last numbers by scope, as they are committed
        self._counting: dict[str, int] = {}

    @property
    def sinks(self) -> tuple[str, ...]:
        """Who is to get the events."""
        return tuple(self._written)

    @property
    def waiting_bytes(self) -> int:
        """Size of the events that are not known to be with all sinks."""
        return self._bytes

    def cursor(self, sink: str) -> int:
        """Return the position up to which a sink has all events."""
        with self._lock:
            return self._told[sink]

    def delivered(self, sink: str, position: int) -> None:
        """Take note, in any thread, that a sink has all events up to a position."""
        with self._lock:
            self._told[sink] = max(self._told[sink], position)

    def park(self, sink: str, position: int, reason: str) -> None:
        """Set an event aside, in any thread, that a sink will never take.

        It stays in the store, and its turn has passed.
        """
        with self._lock:
            self._parked.append(_Parked(sink=sink, position=position, reason=reason))

    def append(self, drafts: Sequence[Draft], now: datetime) -> int:
        """Write events in the transaction that is open, and return their size in bytes."""
        self._counting = dict(self._counted)
        if not self._written:
            return 0
        size = 0
        for draft in drafts:
            row = self._row(draft, self._next_of(draft.coil or ""), now)
            self._tables.insert(row)
            size += row.bytes
        for scope in {draft.coil or "" for draft in drafts}:
            self._tables.put_sequence(scope, self._counting[scope])
        return size

    def appended(self, size: int) -> None:
        """Count events once they are committed."""
        self._bytes += size
        self._counted = dict(list(self._counting.items())[-_SCOPES:])

    def is_ahead(self) -> bool:
        """Return whether there is anything for ``settle`` to do."""
        with self._lock:
            return self._rest or bool(self._parked) or self._told != self._written

    def settle(self) -> Sequence[str]:
        """Write how far the sinks are and clear what all have, in the transaction that is open.

        Returns:
            Why events were set aside, each in words.
        """
        with self._lock:
            told, parked, self._parked = dict(self._told), self._parked, []
        try:
            for each in parked:
                self._tables.park(each.sink, each.position, each.reason)
            for sink, position in told.items():
                if position != self._written[sink]:
                    self._tables.put_cursor(sink, position)
        except BaseException:
            with self._lock:
                self._parked[:0] = parked
            raise
        self._written = told
        cleared = self._tables.clear(min(told.values()), limit=CLEAR_ROWS)
        self._bytes -= cleared
        self._rest = cleared > 0
        return [f"{each.sink}: {each.reason}" for each in parked]

    def _next_of(self, scope: str) -> int:
        last = self._counting.get(scope)
        number = (self._tables.sequence(scope) if last is None else last) + 1
        self._counting[scope] = number
        return number

    def _row(self, draft: Draft, sequence: int, now: datetime) -> Row:
        # A random id, not one made of coil and number: a store that was lost starts to count anew.
        event_id = str(uuid.uuid4())
        self._end += 1  # a gap, where the transaction fails, does no harm
        given: Mapping[str, object] = {
            "id": event_id,
            "source": source_of(self._station),
            "type": f"{TYPE_PREFIX}{draft.kind}",
            "subject": draft.coil,
            "time": now,
            "station": self._station,
            "sequence": sequence,
            "data": draft.data,
        }
        event = EVENT.validate_python(given)
        text = event.model_dump_json(exclude_none=True)
        return Row(position=self._end, id=event_id, kind=draft.kind, coil=draft.coil, text=text)
