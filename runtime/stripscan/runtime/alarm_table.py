"""The table of alarms in a store."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import sqlalchemy as sa

from stripscan.runtime.outbox_tables import Database
from stripscan.runtime.store_tables import METADATA
from stripscan.runtime.store_types import TEXT, WHOLE

ALARM: Final = sa.Table(
    "alarm",
    METADATA,
    sa.Column("number", WHOLE, primary_key=True, autoincrement=False),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("coil", TEXT),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("count", WHOLE, nullable=False),
    sa.Column("raised_at", TEXT, nullable=False),
    sa.Column("cleared_at", TEXT),
    sa.Column("acknowledged_at", TEXT),
    sa.Column("acknowledged_by", TEXT),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRecord:
    """One alarm.

    Attributes:
        number: Number on the station, from 1.
        kind: What it is about.
        coil: The coil, where it is about one.
        reason: What raised it, in words.
        count: How often its cause came.
        raised_at: ISO 8601, UTC.
        cleared_at: When its cause was over; none while it lasts.
        acknowledged_at: When somebody acknowledged it, if anybody has.
        acknowledged_by: Who.
    """

    number: int
    kind: str
    coil: str | None
    reason: str
    count: int
    raised_at: str
    cleared_at: str | None = None
    acknowledged_at: str | None = None
    acknowledged_by: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is not both over and acknowledged."""
        return self.cleared_at is None or self.acknowledged_at is None


class AlarmTable:
    """Reads and writes alarms; every method raises ``StoreError`` where that fails.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def last_number(self) -> int:
        """Return the highest number, 0 without an alarm."""
        return int(self._run(sa.select(sa.func.coalesce(sa.func.max(ALARM.c.number), 0)))[0][0])

    def open_alarms(self) -> list[AlarmRecord]:
        """Return the alarms that are not both over and acknowledged, the oldest first."""
        is_open = sa.or_(ALARM.c.cleared_at.is_(None), ALARM.c.acknowledged_at.is_(None))
        return self._records(sa.select(ALARM).where(is_open).order_by(ALARM.c.number))

    def newest(self, limit: int) -> list[AlarmRecord]:
        """Return the newest alarms, the newest first."""
        return self._records(sa.select(ALARM).order_by(ALARM.c.number.desc()).limit(limit))

    def put(self, record: AlarmRecord) -> None:
        """Add an alarm, or replace the one of the same number."""
        self._run(sa.delete(ALARM).where(ALARM.c.number == record.number))
        self._run(sa.insert(ALARM).values(asdict(record)))

    def _records(self, statement: sa.Executable) -> list[AlarmRecord]:
        return [AlarmRecord(**row._mapping) for row in self._run(statement)]

    def _run(self, statement: sa.Executable) -> Sequence[sa.Row[tuple[object, ...]]]:
        with self._database.errors():
            result = self._database.connection.execute(statement)
            return result.all() if result.returns_rows else ()
