"""What is told of a station: events and alarms, committed with the records that they tell of."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from stripscan.contract.defect import Defect
from stripscan.contract.event import EventData, StationState
from stripscan.contract.grading import Grade
from stripscan.runtime.alarm_table import AlarmTable
from stripscan.runtime.alarms import AlarmKind, Alarms
from stripscan.runtime.line_state import LineState
from stripscan.runtime.outbox import Draft, Outbox
from stripscan.runtime.outbox_tables import Database, OutboxTables
from stripscan.runtime.station_events import AlarmSection, OutboxSection
from stripscan.runtime.wall_clock import utc_now

_QUOTA: Final = "quota"
_TROUBLE: Final = "trouble"
_SETTLE_S: Final = 1.0
"""How long the sinks' progress waits for a commit that comes anyway."""

_RELAXED: Final = 0.8
"""Share of the quota below which its alarm is over."""


class NewsStore(Protocol):
    """What is needed of a store; see ``Store``."""

    @property
    def backend(self) -> Database:
        """Where the tables are."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit all writes of the block together, or none."""
        ...


class Bell:
    """Wakes whoever waits for news, at once and without a lost call."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._count = 0

    def ring(self) -> None:
        """Wake all that wait."""
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    def wait(self, heard: int, timeout_s: float) -> int:
        """Wait for more rings than were heard, and return how many there were by now."""
        with self._rung:
            self._rung.wait_for(lambda: self._count != heard, timeout_s)
            return self._count


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestDefect:
    """The newest defect of a station.

    Attributes:
        count: How many were new since the start.
        defect: The newest.
        class_id: Number of its class in the bundle.
    """

    count: int
    defect: Defect
    class_id: int


class News:
    """Collects what is to be told; used by the main loop alone, but for what it shows.

    Attributes:
        alarms: The alarms of the station.
        bell: Rings at each commit that has news.
        latest: The newest defect, once it is committed.
        grade: The grade of the coil that ended last, once it is committed.

    Args:
        store: Where everything goes.
        station: Name of the station.
        sinks: Who gets the events; without any, none is kept.
        alarm: What raises an alarm.
        outbox: When events on their way are too many.

    Raises:
        StoreError: The store cannot be read or written.
    """

    def __init__(
        self,
        store: NewsStore,
        station: str,
        *,
        sinks: Sequence[str] = (),
        alarm: AlarmSection | None = None,
        outbox: OutboxSection | None = None,
    ) -> None:
        self._store = store
        self.alarm = alarm or AlarmSection()
        self._quota_bytes = (outbox or OutboxSection()).quota_mb * 1e6
        self.bell = Bell()
        self.latest: LatestDefect | None = None
        self.grade: Grade | None = None
        self._next: tuple[LatestDefect | None, Grade | None] = (None, None)
        self._drafts: list[Draft] = []
        self._state: tuple[str, str] | None = None
        self._reconnects = 0
        self._settled_s = 0.0
        with store.transaction():
            self.alarms = Alarms(AlarmTable(store.backend), utc_now())
            self.outbox = Outbox(station, OutboxTables(store.backend), sinks)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes of the block with all that was told in it, or nothing of both."""
        try:
            with self._store.transaction():
                yield
                if self.outbox.is_ahead():
                    self._settle_outbox()
                drafts = self._drafts + self.alarms.taken()
                size = self.outbox.append(drafts, utc_now())
        except BaseException:
            self._drafts.clear()
            self._next = (self.latest, self.grade)
            self.alarms.roll_back()
            raise
        self._drafts.clear()
        self.outbox.appended(size)
        self.alarms.commit()
        self.latest, self.grade = self._next
        if drafts:
            self.bell.ring()

    def tell(self, kind: str, data: EventData, *, coil: str | None = None) -> None:
        """Tell something, in ``transaction``."""
        self._drafts.append(Draft(kind=kind, coil=coil, data=data))

    def found(self, defect: Defect, *, class_id: int) -> None:
        """Take note of a new defect, in ``transaction``."""
        before, grade = self._next
        count = before.count if before else 0
        latest = LatestDefect(count=count + 1, defect=defect, class_id=class_id)
        self._next = (latest, grade)

    def graded(self, grade: Grade) -> None:
        """Take note of a coil's grade, in ``transaction``."""
        self._next = (self._next[0], grade)

    def alert(
        self, kind: AlarmKind, reason: str, *, coil: str | None = None, cause: str = ""
    ) -> None:
        """Raise an alarm, in ``transaction``; see ``Alarms.raise_``."""
        self.alarms.raise_(kind, reason, utc_now(), coil=coil, cause=cause)

    def calm(self, kind: AlarmKind, *, cause: str) -> None:
        """Take note that a cause of an alarm is over, in ``transaction``."""
        self.alarms.clear(kind, utc_now(), cause=cause)

    def turn(self, state: LineState, reason: str = "", *, trouble: str = "") -> None:
        """Do what has come up: once in each turn of the main loop, outside of transactions.

        Args:
            state: State of the station.
            reason: Why, where there is more to say.
            trouble: What is wrong until somebody mends it; empty where nothing is.
        """
        news: list[Callable[[], None]] = []
        if (str(state), reason) != self._state:
            news.append(lambda: self._tell_state(str(state), reason))
        if bool(trouble) != self._has_cause(AlarmKind.STATION):
            news.append(lambda: self._tell_trouble(trouble))
        if self.outbox.sinks and self._quota_news():
            news.append(self._tell_quota)
        if self.outbox.is_ahead() and time.monotonic() > self._settled_s + _SETTLE_S:
            news.append(lambda: None)  # each transaction settles it
        if self.alarms.is_asked:
            news.append(lambda: self.alarms.settle(utc_now()))
        if news:
            with self.transaction():
                for tell in news:
                    tell()
            self._state = (str(state), reason)

    def cameras(self, reconnects: int) -> None:
        """Raise an alarm where cameras were lost, and are back, since the last call.

        Args:
            reconnects: How often since the start.
        """
        if reconnects > self._reconnects:
            with self.transaction():
                self.alert(AlarmKind.CAMERA, "the camera was lost, and is back")
        self._reconnects = reconnects

    def close(self) -> None:
        """Write how far the sinks are, as they have stopped."""
        if self.outbox.is_ahead():
            with self.transaction():
                pass

    def _tell_state(self, state: str, reason: str) -> None:
        data = StationState.model_validate({"state": state, "reason": reason})
        self.tell("station.state", data)

    def _tell_trouble(self, trouble: str) -> None:
        if trouble:
            self.alert(AlarmKind.STATION, trouble, cause=_TROUBLE)
        else:
            self.calm(AlarmKind.STATION, cause=_TROUBLE)

    def _has_cause(self, kind: AlarmKind) -> bool:
        return bool(self.alarms.causes(kind))

    def _quota_news(self) -> bool:
        waiting, alarmed = self.outbox.waiting_bytes, self._has_cause(AlarmKind.DELIVERY)
        limit = self._quota_bytes * (_RELAXED if alarmed else 1.0)
        return (waiting > limit) != alarmed

    def _tell_quota(self) -> None:
        if self._has_cause(AlarmKind.DELIVERY):
            self.calm(AlarmKind.DELIVERY, cause=_QUOTA)
            return
        waiting_mb = self.outbox.waiting_bytes / 1e6
        self.alert(
            AlarmKind.DELIVERY,
            f"{waiting_mb:.0f} MB of events wait for a receiver that does not take them, more than "
            f"quota_mb = {self._quota_bytes / 1e6:g}: they are kept; see to the receiver",
            cause=_QUOTA,
        )

    def _settle_outbox(self) -> None:
        self._settled_s = time.monotonic()
        for reason in self.outbox.settle():
            self.alert(AlarmKind.DELIVERY, f"an event was refused and set aside: {reason}")
