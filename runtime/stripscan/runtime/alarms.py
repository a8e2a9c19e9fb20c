"""Alarms of a station: raised by a cause, kept until it is over and somebody has acknowledged.

There is one alarm of each kind at a time, as a PLC has one lamp for it; how often its cause came is
counted. A cause that comes after the acknowledgement raises the alarm anew.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from stripscan.contract.event import AlarmState
from stripscan.runtime.alarm_table import AlarmRecord, AlarmTable
from stripscan.runtime.outbox import Draft
from stripscan.runtime.wall_clock import stamp

logger = logging.getLogger(__name__)


class AlarmKind(StrEnum):
    """What an alarm is about, in the order of the PLC's bits; new ones are added at the end."""

    DEFECT = "defect"  # of a severity that the station file names
    ROLL_REPEAT = "roll-repeat"
    NOT_INSPECTED = "not-inspected"  # metal passed and was not inspected
    CAMERA = "camera"  # it was lost
    DELIVERY = "delivery"  # events cannot be delivered, or are not taken
    STATION = "station"  # a coil failed, or the station is degraded until somebody mends it


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """That somebody has seen an alarm as it was then.

    Attributes:
        number: Number of the alarm.
        count: How often its cause had come.
        by: Who.
    """

    number: int
    count: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Board:
    """Open alarms, and the causes that last, by kind; replaced as a whole."""

    open: Mapping[AlarmKind, AlarmRecord]
    causes: Mapping[AlarmKind, frozenset[str]]


class Alarms:
    """The alarms of one station. The main loop writes, in transactions; any thread looks on.

    Args:
        table: Where they are kept.
        now: Time of the start, UTC: what lasted when the station died is over.

    Raises:
        StoreError: The store cannot be read or written.
    """

    def __init__(self, table: AlarmTable, now: datetime) -> None:
        self._table = table
        self._last = table.last_number()
        opened: dict[AlarmKind, AlarmRecord] = {}
        for record in table.open_alarms():
            over = record if record.cleared_at else replace(record, cleared_at=stamp(now))
            if over is not record:
                table.put(over)
            if over.is_open:
                opened[AlarmKind(over.kind)] = over
        self._committed = self._board = _Board(open=opened, causes={})
        self._lock = threading.Lock()
        self._asked: list[Acknowledgement] = []
        self._drafts: list[Draft] = []

    @property
    def open(self) -> Mapping[AlarmKind, AlarmRecord]:
        """The alarms that are open, as they are committed."""
        return self._committed.open

    def acknowledge(self, kinds: Iterable[AlarmKind], *, by: str) -> int:
        """Ask, in any thread, that alarms be acknowledged as they are seen now.

        It is done within a turn of the main loop. What comes in between is not acknowledged.

        Args:
            kinds: Which.
            by: Who asks.

        Returns:
            How many of them are to be acknowledged.
        """
        seen = [self.open[kind] for kind in kinds if kind in self.open]
        seen = [record for record in seen if record.acknowledged_at is None]
        with self._lock:
            self._asked += [Acknowledgement(number=r.number, count=r.count, by=by) for r in seen]
        return len(seen)

    @property
    def is_asked(self) -> bool:
        """Whether somebody wants to acknowledge."""
        return bool(self._asked)

    def causes(self, kind: AlarmKind) -> frozenset[str]:
        """Return the causes of an alarm that last, for the main loop."""
        return self._board.causes.get(kind, frozenset())

    def raise_(
        self, kind: AlarmKind, reason: str, now: datetime, *, coil: str | None, cause: str = ""
    ) -> None:
        """Raise an alarm, in the transaction that is open.

        Args:
            kind: What it is about.
            reason: What raises it, in words.
            now: UTC.
            coil: The coil, where it is about one.
            cause: Name of what lasts until ``clear``; empty for what has happened and is over.
        """
        lasted = cause in self.causes(kind)
        if cause:
            self._set_causes(kind, self.causes(kind) | {cause})
        before = self._board.open.get(kind)
        if before is not None and (lasted or before.acknowledged_at is None):
            lasts = None if cause else before.cleared_at
            self._put(kind, replace(before, count=before.count + 1, cleared_at=lasts))
            return
        if before is not None and before.cleared_at is None:
            self._put(kind, replace(before, cleared_at=stamp(now)))
            self._tell("alarm.cleared", before)
        self._last += 1
        record = AlarmRecord(
            number=self._last,
            kind=str(kind),
            coil=coil,
            reason=reason,
            count=1,
            raised_at=stamp(now),
            cleared_at=None if self.causes(kind) else stamp(now),
        )
        self._put(kind, record)
        self._tell("alarm.raised", record)
        logger.warning("alarm", extra={"alarm": str(kind), "coil": coil, "reason": reason})

    def clear(self, kind: AlarmKind, now: datetime, *, cause: str) -> None:
        """Take note that a cause is over, in the transaction that is open; twice does no harm."""
        if cause not in self.causes(kind):
            return
        self._set_causes(kind, self.causes(kind) - {cause})
        record = self._board.open.get(kind)
        if record is None or self.causes(kind):
            return
        over = replace(record, cleared_at=stamp(now))
        self._put(kind, over)
        self._tell("alarm.cleared", over)

    def settle(self, now: datetime) -> None:
        """Acknowledge what was asked for, in the transaction that is open."""
        with self._lock:
            asked, self._asked = self._asked, []
        for each in asked:
            for kind, record in tuple(self._board.open.items()):
                if (record.number, record.count) != (each.number, each.count):
                    continue
                if record.acknowledged_at is None:
                    done = replace(record, acknowledged_at=stamp(now), acknowledged_by=each.by)
                    self._put(kind, done)
                    self._tell("alarm.acknowledged", done)

    def taken(self) -> list[Draft]:
        """Return what is to be told since the last call."""
        drafts, self._drafts = self._drafts, []
        return drafts

    def commit(self) -> None:
        """Show what was written, once it is committed."""
        self._committed = self._board

    def roll_back(self) -> None:
        """Forget what was not committed."""
        self._board = self._committed
        self._drafts.clear()

    def _set_causes(self, kind: AlarmKind, causes: frozenset[str]) -> None:
        self._board = replace(self._board, causes={**self._board.causes, kind: causes})

    def _put(self, kind: AlarmKind, record: AlarmRecord) -> None:
        self._table.put(record)
        others = {k: r for k, r in self._board.open.items() if k is not kind}
        opened = others | ({kind: record} if record.is_open else {})
        self._board = replace(self._board, open=opened)

    def _tell(self, kind: str, record: AlarmRecord) -> None:
        data = AlarmState(
            number=record.number,
            alarm=record.kind,
            reason=record.reason,
            count=record.count,
            active=record.cleared_at is None,
            acknowledged_by=record.acknowledged_by,
        )
        self._drafts.append(Draft(kind=kind, coil=record.coil, data=data))
