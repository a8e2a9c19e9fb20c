"""The tables of events on their way, and what is asked of them."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

import sqlalchemy as sa

from stripscan.runtime.store_tables import METADATA
from stripscan.runtime.store_types import TEXT, WHOLE

OUTBOX: Final = sa.Table(
    "outbox",
    METADATA,
    sa.Column("position", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("id", TEXT, nullable=False),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("event", TEXT, nullable=False),
    sa.Column("bytes", WHOLE, nullable=False),
    sqlite_strict=True,
)

CURSOR: Final = sa.Table(
    "outbox_cursor",
    METADATA,
    sa.Column("sink", TEXT, primary_key=True),
    sa.Column("position", WHOLE, nullable=False),
    sqlite_strict=True,
)

PARKED: Final = sa.Table(
    "outbox_parked",
    METADATA,
    sa.Column("sink", TEXT, primary_key=True),
    sa.Column("position", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("event", TEXT, nullable=False),
    sa.Column("reason", TEXT, nullable=False),
    sqlite_strict=True,
)

SEQUENCE: Final = sa.Table(
    "event_sequence",
    METADATA,
    sa.Column("scope", TEXT, primary_key=True),
    sa.Column("last", WHOLE, nullable=False),
    sqlite_strict=True,
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
        text: The event in JSON.
    """

    position: int
    id: str
    kind: str
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

    def cursors(self) -> dict[str, int]:
        """Return the position up to which each sink has all events."""
        rows = self._run(sa.select(CURSOR.c.sink, CURSOR.c.position))
        return {row.sink: row.position for row in rows}

    def end(self) -> int:
        """Return the highest position that was ever given away."""
        # What is cleared is with all sinks, so a cursor is at least there.
        highest = (sa.func.max(table.c.position) for table in (OUTBOX, CURSOR))
        return max(self._run(sa.select(each))[0][0] or 0 for each in highest)

    def total_bytes(self) -> int:
        """Return the size of all events."""
        total = sa.cast(sa.func.coalesce(sa.func.sum(OUTBOX.c.bytes), 0), sa.BigInteger())
        return int(self._run(sa.select(total))[0][0])

    def after(self, position: int, limit: int) -> list[Row]:
        """Return the first events behind a position, in order."""
        columns = sa.select(OUTBOX.c.position, OUTBOX.c.id, OUTBOX.c.kind, OUTBOX.c.event)
        rows = self._run(
            columns.where(OUTBOX.c.position > position).order_by(OUTBOX.c.position).limit(limit)
        )
        return [Row(position=r.position, id=r.id, kind=r.kind, text=r.event) for r in rows]

    def count_after(self, position: int) -> int:
        """Return how many events are behind a position."""
        count = sa.select(sa.func.count()).select_from(OUTBOX)
        return int(self._run(count.where(OUTBOX.c.position > position))[0][0])

    def put_cursor(self, sink: str, position: int) -> None:
        """Write how far a sink is."""
        self.forget(sink)
        self._run(sa.insert(CURSOR).values(sink=sink, position=position))

    def forget(self, sink: str) -> None:
        """Remove the cursor of a sink."""
        self._run(sa.delete(CURSOR).where(CURSOR.c.sink == sink))

    def sequences(self, scopes: Collection[str]) -> dict[str, int]:
        """Return the last number of each scope, 0 of one that is new."""
        found = self._run(sa.select(SEQUENCE).where(SEQUENCE.c.scope.in_(sorted(scopes))))
        return dict.fromkeys(scopes, 0) | {row.scope: row.last for row in found}

    def put_sequences(self, last: Mapping[str, int]) -> None:
        """Write the last number of scopes."""
        self._run(sa.delete(SEQUENCE).where(SEQUENCE.c.scope.in_(sorted(last))))
        self._run(sa.insert(SEQUENCE), [{"scope": s, "last": n} for s, n in last.items()])

    def insert(self, rows: Sequence[Row]) -> None:
        """Add events."""
        values = [
            {"position": r.position, "id": r.id, "kind": r.kind, "event": r.text, "bytes": r.bytes}
            for r in rows
        ]
        self._run(sa.insert(OUTBOX), values)

    def park(self, sink: str, position: int, reason: str) -> None:
        """Keep an event that a sink does not take."""
        values = sa.select(
            sa.literal(sink), OUTBOX.c.position, OUTBOX.c.event, sa.literal(reason)
        ).where(OUTBOX.c.position == position)
        self._run(sa.delete(PARKED).where(PARKED.c.sink == sink, PARKED.c.position == position))
        self._run(
            sa.insert(PARKED).from_select([PARKED.c[name] for name in PARKED.c.keys()], values)
        )

    def parked(self) -> list[tuple[str, str, str]]:
        """Return sink, event and reason of what was set aside."""
        rows = self._run(sa.select(PARKED).order_by(PARKED.c.sink, PARKED.c.position))
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

    def _run(
        self, statement: sa.Executable, values: Sequence[Mapping[str, object]] | None = None
    ) -> Sequence[sa.Row[tuple[object, ...]]]:
        with self._database.errors():
            result = self._database.connection.execute(statement, values)
            return result.all() if result.returns_rows else ()
