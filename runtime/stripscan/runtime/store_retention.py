"""What is removed from a store, so that it neither grows for ever nor loses what is needed.

Coils beyond their age go whole. Above its size, a store loses pictures first, of the oldest coil
first, then masks, and records last. What somebody still waits for is never removed, and neither is
a coil that runs. All is done in short transactions, so that the line does not wait.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from stripscan.contract.errors import StoreError
from stripscan.runtime.store import Store
from stripscan.runtime.store_tables import (
    COIL,
    COIL_REMOVAL,
    MASK_PART,
    METADATA,
    OLDEST_FIRST,
    PICTURE,
)

logger = logging.getLogger(__name__)

_GOAL_S: Final = 0.02
_FIRST_ROWS: Final = 8
_PAUSE_S: Final = 0.02
"""Between two slices the line may write; together they take half of the time at most."""

_PARTS: Final = tuple(
    table
    for table in reversed(METADATA.sorted_tables)
    if "coil" in table.c and table.c.coil.foreign_keys and table is not COIL_REMOVAL
)
"""What belongs to a coil, what refers to others first; the coil itself comes after them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What a store may hold.

    Attributes:
        days: Age of a coil since its end, in days; any where None.
        gb: Size of the store in 10⁹ bytes; any where None.
    """

    days: float | None = None
    gb: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed.

    Attributes:
        pictures: Coils that lost their pictures.
        masks: Coils that lost their masks.
        coils: Coils that are gone.
        freed_gb: Size given back to the disk, in 10⁹ bytes.
        above_gb: What the store still has above its size, in 10⁹ bytes, as nothing more may go.
    """

    pictures: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    coils: tuple[str, ...] = ()
    freed_gb: float = 0.0
    above_gb: float = 0.0


class Pruner:
    """Removes from a store what it need not keep.

    Args:
        store: The store, writable, ``exclusive`` or not.
        keep: What it may hold.
        protected: Asked before each step for the coils of which nothing may go.
        pause: Called between two slices.
    """

    def __init__(
        self,
        store: Store,
        keep: Keep,
        *,
        protected: Callable[[], Collection[str]] = tuple,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        if keep.gb is not None and store.backend.connection.dialect.name != "sqlite":
            raise StoreError(
                f"{store.name} is on a server, which gives no space back: keep it small by days"
            )
        self._store = store
        self._connection = store.backend.connection
        self._keep = keep
        self._protected = protected
        self._pause = pause
        self._rows: dict[str, int] = {}

    def run(self, *, now: datetime | None = None) -> Pruned:
        """Remove what is too old, then what is too much, and give the space back.

        Args:
            now: The time; that of the clock where None.

        Raises:
            StoreError: The store cannot be written.
        """
        before = self._file_bytes()
        gone = [*self._removed(self._unfinished()), *self._removed(self._too_old(now))]
        pictures = self._thinned(PICTURE)
        masks = self._thinned(MASK_PART)
        gone += self._removed(self._too_much())
        self._give_back()
        return Pruned(
            pictures=pictures,
            masks=masks,
            coils=tuple(gone),
            freed_gb=max(before - self._file_bytes(), 0) / 1e9,
            above_gb=max(self._above_bytes(), 0) / 1e9,
        )

    def _unfinished(self) -> Iterator[str]:
        """Yield coils that a crash left half removed."""
        yield from self._ids(sa.select(COIL_REMOVAL.c.coil))

    def _too_old(self, now: datetime | None) -> Iterator[str]:
        if self._keep.days is None:
            return
        limit = (now or datetime.now(UTC)) - timedelta(days=self._keep.days)
        for coil, ended_at in self._removable():
            if _time_of(ended_at, unknown=limit) < limit:
                yield coil

    def _too_much(self) -> Iterator[str]:
        for coil, _ in self._removable():
            if self._above_bytes() <= 0:
                return
            yield coil

    def _removable(self) -> Iterator[tuple[str, str]]:
        """Yield the coils that have ended and may go, with when they ended, the oldest first."""
        ended = sa.func.coalesce(COIL.c.ended_at, COIL.c.started_at)
        found = sa.select(COIL.c.id, ended).where(COIL.c.status != "running")
        with self._store.backend.errors():
            rows = self._connection.execute(found.order_by(*OLDEST_FIRST)).all()
        for coil, ended_at in rows:
            if coil not in self._protected():
                yield coil, ended_at

    def _thinned(self, table: sa.Table) -> tuple[str, ...]:
        """Remove a table's rows of the oldest coils until the store is small enough."""
        if self._above_bytes() <= 0:
            return ()
        having = set(self._ids(sa.select(table.c.coil).distinct()))
        thinned = []
        for coil, _ in self._removable():
            if self._above_bytes() <= 0:
                break
            if coil in having:
                self._delete(table, coil, until=lambda: self._above_bytes() <= 0)
                thinned.append(coil)
        return tuple(thinned)

    def _removed(self, coils: Iterable[str]) -> list[str]:
        removed = []
        for coil in coils:
            with self._store.transaction():
                self._connection.execute(sa.delete(COIL_REMOVAL).where(COIL_REMOVAL.c.coil == coil))
                self._connection.execute(sa.insert(COIL_REMOVAL).values(coil=coil))
            for table in _PARTS:
                self._delete(table, coil)
            with self._store.transaction():
                self._connection.execute(sa.delete(COIL_REMOVAL).where(COIL_REMOVAL.c.coil == coil))
                self._connection.execute(sa.delete(COIL).where(COIL.c.id == coil))
            removed.append(coil)
            logger.info("coil removed from the store", extra={"coil": coil})
        return removed

    def _delete(
        self, table: sa.Table, coil: str, *, until: Callable[[], bool] = lambda: False
    ) -> None:
        """Delete a table's rows of a coil, slice by slice."""
        key = tuple(table.primary_key)
        while not until():
            some = sa.select(*key).where(table.c.coil == coil).limit(self._slice(table.name))
            start = time.monotonic()
            with self._store.transaction():
                done = self._connection.execute(sa.delete(table).where(sa.tuple_(*key).in_(some)))
            if not done.rowcount:
                return
            self._timed(table.name, start)

    def _slice(self, what: str) -> int:
        return self._rows.setdefault(what, _FIRST_ROWS)

    def _timed(self, what: str, start: float) -> None:
        """Make the next slice of this kind fit the goal, and let others write before it."""
        took_s = time.monotonic() - start
        fitting = self._rows[what] * _GOAL_S / max(took_s, 1e-4)
        self._rows[what] = max(1, int(min(fitting, 2 * self._rows[what])))
        self._pause(_PAUSE_S)

    def _give_back(self) -> None:
        if self._connection.dialect.name != "sqlite" or self._pragma("auto_vacuum") != 2:
            return
        while free := self._pragma("freelist_count"):
            start = time.monotonic()
            pages = self._slice("pages")
            # A page is given back with each row, of no columns, and of such a statement sqlite3
            # fetches one row, unless it is a script.
            driver: Any = self._connection.connection.driver_connection
            with self._store.backend.errors():
                driver.executescript(f"PRAGMA incremental_vacuum({pages})")
            if self._pragma("freelist_count") >= free:
                return
            self._timed("pages", start)

    def _above_bytes(self) -> float:
        if self._keep.gb is None:
            return 0.0
        used = self._pragma("page_count") - self._pragma("freelist_count")
        return used * self._pragma("page_size") - self._keep.gb * 1e9

    def _file_bytes(self) -> int:
        if self._connection.dialect.name != "sqlite":
            return 0
        return self._pragma("page_count") * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        with self._store.backend.errors():
            return int(self._connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())

    def _ids(self, found: sa.Select[tuple[str]]) -> list[str]:
        with self._store.backend.errors():
            return list(self._connection.scalars(found))


def _time_of(text: str, *, unknown: datetime) -> datetime:
    """Return the time that a store has; what has none that can be read is not old."""
    try:
        time_of = datetime.fromisoformat(text)
    except ValueError:
        return unknown
    return time_of if time_of.tzinfo else time_of.replace(tzinfo=UTC)
