"""The table of alarms in a store."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from stripscan.runtime.outbox_tables import Database
from stripscan.runtime.store_statements import Upserts
from stripscan.runtime.store_tables import ALARM


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
        self._upserts = Upserts(database.connection)

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
        with self._database.errors():
            self._upserts.put(ALARM, asdict(record), key=("number",))

    def _records(self, statement: sa.Executable) -> list[AlarmRecord]:
        return [AlarmRecord(**row._mapping) for row in self._run(statement)]

    def _run(self, statement: sa.Executable) -> Sequence[Any]:
        with self._database.errors():
            return self._database.connection.execute(statement).all()
