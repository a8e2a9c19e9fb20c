"""The tables of events on their way, and what is asked of them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from stripscan.runtime.store_statements import Upserts
from stripscan.runtime.store_tables import (
    EVENT_SEQUENCE,
    OUTBOX,
    OUTBOX_CURSOR,
    OUTBOX_PARKED,
)


class Database(Protocol):
    """What a store lends to the tables of its parts."""

    @property
    def connection(self) -> sa.Connection:
        """The connection that belongs to this thread."""
        ...

    def errors(self) -> AbstractContextManager[None]:
        """Turn the database's errors into ``StoreError``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An event as it lies in the outbox.

    Attributes:
        position: Its place in the order of commits.
        id: Its id.
        kind: Its type without the prefix.
        coil: The coil, where it is about one.
        text: The event in JSON.
    """

    position: int
    id: str
    kind: str
    coil: str | None
    text: str

    @property
    def bytes(self) -> int:
        """Size of the text."""
        return len(self.text.encode())


class OutboxTables:
    """Reads and writes events and cursors; every method raises ``StoreError`` where that fails.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._upserts = Upserts(database.connection)

    def cursors(self) -> dict[str, int]:
        """Return the position up to which each sink has all events."""
        rows = self._run(sa.select(OUTBOX_CURSOR.c.sink, OUTBOX_CURSOR.c.position))
        return {row.sink: row.position for row in rows}

    def end(self) -> int:
        """Return the highest position that was ever given away."""
        # What is cleared is with all sinks, so a cursor is at least there.
        highest = (sa.func.max(table.c.position) for table in (OUTBOX, OUTBOX_CURSOR))
        return max(self._run(sa.select(each))[0][0] or 0 for each in highest)

    def total_bytes(self) -> int:
        """Return the size of all events."""
        total = sa.cast(sa.func.coalesce(sa.func.sum(OUTBOX.c.bytes), 0), sa.BigInteger())
        return int(self._run(sa.select(total))[0][0])

    def after(self, position: int, limit: int) -> list[Row]:
        """Return the first events behind a position, in order."""
        rows = self._run(
            sa.select(OUTBOX)
            .where(OUTBOX.c.position > position)
            .order_by(OUTBOX.c.position)
            .limit(limit)
        )
        return [
            Row(position=r.position, id=r.id, kind=r.kind, coil=r.coil, text=r.event) for r in rows
        ]

    def coils(self) -> set[str]:
        """Return the coils that events on their way are about."""
        rows = self._run(sa.select(OUTBOX.c.coil).where(OUTBOX.c.coil.is_not(None)).distinct())
        return {row.coil for row in rows}

    def count_after(self, position: int) -> int:
        """Return how many events are behind a position."""
        count = sa.select(sa.func.count()).select_from(OUTBOX)
        return int(self._run(count.where(OUTBOX.c.position > position))[0][0])

    def put_cursor(self, sink: str, position: int) -> None:
        """Write how far a sink is."""
        self._put(OUTBOX_CURSOR, {"sink": sink, "position": position}, "sink")

    def forget(self, sink: str) -> None:
        """Remove the cursor of a sink."""
        self._run(sa.delete(OUTBOX_CURSOR).where(OUTBOX_CURSOR.c.sink == sink))

    def sequence(self, scope: str) -> int:
        """Return the last number of a scope, 0 of one that is new."""
        rows = self._run(sa.select(EVENT_SEQUENCE.c.last).where(EVENT_SEQUENCE.c.scope == scope))
        return int(rows[0][0]) if rows else 0

    def put_sequence(self, scope: str, last: int) -> None:
        """Write the last number of a scope."""
        self._put(EVENT_SEQUENCE, {"scope": scope, "last": last}, "scope")

    def insert(self, row: Row) -> None:
        """Add an event."""
        values = {
            "position": row.position,
            "id": row.id,
            "kind": row.kind,
            "coil": row.coil,
            "event": row.text,
            "bytes": row.bytes,
        }
        self._put(OUTBOX, values)

    def park(self, sink: str, position: int, reason: str) -> None:
        """Keep an event that a sink does not take."""
        for row in self.after(position - 1, 1):
            values = {"sink": sink, "position": row.position, "event": row.text, "reason": reason}
            self._put(OUTBOX_PARKED, values, "sink", "position")

    def parked(self) -> list[tuple[str, str, str]]:
        """Return sink, event and reason of what was set aside."""
        rows = self._run(
            sa.select(OUTBOX_PARKED).order_by(OUTBOX_PARKED.c.sink, OUTBOX_PARKED.c.position)
        )
        return [(row.sink, row.event, row.reason) for row in rows]

    def clear(self, position: int, *, limit: int) -> int:
        """Remove the oldest events up to a position and return their size.

        Args:
            position: Position of the last that may go.
            limit: How many go at most.
        """
        oldest = (
            sa.select(OUTBOX.c.position)
            .where(OUTBOX.c.position <= position)
            .order_by(OUTBOX.c.position)
            .limit(limit)
        )
        rows = self._run(
            sa.delete(OUTBOX).where(OUTBOX.c.position.in_(oldest)).returning(OUTBOX.c.bytes)
        )
        return sum(row.bytes for row in rows)

    def empty(self) -> None:
        """Remove all events."""
        self._run(sa.delete(OUTBOX))

    def _run(self, statement: sa.Executable) -> Sequence[Any]:
        with self._database.errors():
            result = self._database.connection.execute(statement)
            return result.all() if result.returns_rows else ()

    def _put(self, table: sa.Table, values: Mapping[str, object], *key: str) -> None:
        with self._database.errors():
            self._upserts.put(table, values, key=key)
