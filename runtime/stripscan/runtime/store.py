"""What is kept of every coil: defects, masks, pictures, coverage, roll repeats, gradings.

A store is one SQLite file, or a PostgreSQL database. One process writes, through one connection
that belongs to the thread that opened it; any number of readers may look on
(https://www.sqlite.org/wal.html). What was committed survives a kill and, with
``synchronous = FULL``, a power cut.
"""

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.defect import Defect
from stripscan.contract.errors import StoreError
from stripscan.contract.grading import Grading
from stripscan.contract.rle import Runs
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.store_backend import Backend
from stripscan.runtime.store_postgresql import open_postgresql, store_url
from stripscan.runtime.store_reading import DefectReading
from stripscan.runtime.store_records import (
    CoilRecord,
    CoilStatus,
    Picture,
    Stat,
    dump_stats,
    join_runs,
    pack_runs,
)
from stripscan.runtime.store_rows import (
    coil_of,
    coil_row,
    defect_of,
    defect_row,
    grading_of,
    grading_row,
    interval_of,
    interval_row,
    plain,
    repeat_of,
    repeat_row,
    runs_of,
)
from stripscan.runtime.store_sqlite import open_sqlite
from stripscan.runtime.store_statements import Upserts
from stripscan.runtime.store_tables import (
    COIL,
    COIL_REMOVAL,
    COVERAGE,
    DEFECT,
    GRADING,
    MASK_PART,
    NEXT_POSITION,
    OLDEST_FIRST,
    PICTURE,
    ROLL_PRINT,
    ROLL_REPEAT,
)

__all__ = ["CoilRecord", "CoilStatus", "Picture", "Stat", "Store"]

_SHOWN_IDS = 5
_COIL = [COIL.c[f.name] for f in fields(CoilRecord)]
_PICTURE = [PICTURE.c[f.name] for f in fields(Picture)]


class Store(DefectReading):
    """A store that is open; leaving its ``with`` block closes it.

    Each write outside ``transaction`` is committed on its own. Every method raises
    ``StoreError`` where the store cannot be read or written, with the cause and the remedy.

    Attributes:
        name: The file or URL, for messages.
        backend: The database, for the other modules of the store.
    """

    def __init__(self, backend: Backend) -> None:
        self.name = backend.name
        self.backend = backend
        self._connection = backend.connection
        self._upserts = Upserts(backend.connection)
        self._in_transaction = False

    @classmethod
    def open(cls, where: Path | str, *, readonly: bool = False, exclusive: bool = True) -> Self:
        """Open a store, and make it where there is none and it is to be written.

        Args:
            where: The file, or the URL of a PostgreSQL database.
            readonly: Whether it is only to be read.
            exclusive: Whether no other process may write meanwhile. Only then may coils be
                recovered; what else writes beside a running line, in short transactions, sets
                it to False. A file must be there already then.

        Raises:
            StoreError: It is missing, damaged, locked, written to by another process, not a
                store, of a newer version, or a server that cannot be reached.
        """
        if isinstance(where, str) and "://" in where:
            url = store_url(where)
            return cls(open_postgresql(url, readonly=readonly, exclusive=exclusive))
        return cls(open_sqlite(Path(where), readonly=readonly, exclusive=exclusive))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store; twice does no harm."""
        with self.backend.errors():
            self.backend.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes of the block together, or none where an error leaves it."""
        with self.backend.errors():
            self._connection.exec_driver_sql(self.backend.begin_to_write)
            self._in_transaction = True
            try:
                yield
                self._connection.exec_driver_sql("COMMIT")
            except BaseException:
                self.backend.roll_back()
                raise
            finally:
                self._in_transaction = False

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads of the block see one moment, whatever the writer commits meanwhile."""
        with self.backend.errors():
            self._connection.exec_driver_sql(self.backend.begin_to_read)
            try:
                yield
            finally:
                self.backend.roll_back()

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Join the transaction that is open, or make one."""
        if self._in_transaction:
            yield
            return
        with self.transaction():
            yield

    def recover(self) -> tuple[str, ...]:
        """Mark coils left "running" by a process that died as interrupted, and return their ids.

        To be called after opening, before ``start_coil``: only one process writes to a store, so
        nobody else is still at work on them.
        """
        running = sa.update(COIL).where(COIL.c.status == "running")
        rows = self._all(running.values(status="interrupted").returning(COIL.c.id))
        return tuple(row["id"] for row in rows)

    def start_coil(self, record: CoilRecord) -> None:
        """Add a coil.

        Raises:
            StoreError: A coil of that id is there already.
        """
        if self._all(sa.select(COIL.c.id).where(COIL.c.id == record.id)):
            raise StoreError(f"coil {record.id} is already in {self.name}; choose another id")
        (position,) = self._all(NEXT_POSITION)
        self._put(COIL, {**coil_row(record), **position})

    def finish_coil(
        self,
        coil: str,
        *,
        ended_at: str,
        status: CoilStatus,
        length_m: float | None,
        stats: Mapping[str, Stat],
    ) -> None:
        """Close the record of a coil.

        Args:
            coil: Its id.
            ended_at: ISO 8601, UTC.
            status: How it ended.
            length_m: Length in m, planned strip that never arrived included.
            stats: Figures of the run (see ``CoilRecord``).
        """
        ended = sa.update(COIL).where(COIL.c.id == coil).returning(COIL.c.id)
        values = {
            "ended_at": ended_at,
            "status": status,
            "length_m": plain(length_m),
            "stats": dump_stats(stats),
        }
        if not self._all(ended.values(values)):
            raise self._unknown_coil(coil)

    def put_defect(self, defect: Defect) -> None:
        """Add a defect, or replace the one of the same coil and number."""
        self._put(DEFECT, defect_row(defect), key=("coil", "number"))

    def add_runs(self, coil: str, number: int, runs: Runs) -> None:
        """Append a part to the mask of a defect, which is there at COMMIT at the latest.

        Args:
            coil: Id of the coil.
            number: Number of the defect.
            runs: int64 ``[n, 3]``, of pixels that no other part of this mask has.
        """
        self._put(MASK_PART, {"coil": coil, "number": number, "runs": pack_runs(runs)})

    def merge_defect(self, coil: str, number: int, into: int) -> None:
        """Give the mask of a defect to another, and remove its record and picture."""
        if number == into:
            raise StoreError(f"defect {number} of coil {coil} cannot be merged into itself")
        with self._together():
            mask = _of_defect(MASK_PART, coil, number)
            self._do(sa.update(MASK_PART).where(mask).values(number=int(into)))
            for table in (PICTURE, DEFECT):
                self._do(sa.delete(table).where(_of_defect(table, coil, number)))

    def put_picture(self, coil: str, number: int, picture: Picture) -> None:
        """Add or replace the picture of a defect, which is there at COMMIT at the latest."""
        values = {"coil": coil, "number": number}
        values |= {f.name: getattr(picture, f.name) for f in fields(picture)}
        self._put(PICTURE, values, key=("coil", "number"))

    def put_coverage(self, coil: str, interval: CoverageInterval) -> None:
        """Add an interval, or replace the one of the same camera and first line."""
        self._put(COVERAGE, interval_row(coil, interval), key=("coil", "camera", "first_line"))

    def put_grading(self, grading: Grading) -> None:
        """Add a judgement of a coil to those that it has."""
        self._put(GRADING, grading_row(grading))

    def put_roll_repeat(self, repeat: RollRepeat) -> None:
        """Add a roll repeat, or replace the one of the same number; its defects are added."""
        with self._together():
            self._put(ROLL_REPEAT, repeat_row(repeat), key=("coil", "number"))
            for defect in repeat.defects:
                of_one = {"coil": repeat.coil, "repeat": repeat.number, "defect": defect}
                self._put(ROLL_PRINT, of_one)

    def coils(self) -> tuple[CoilRecord, ...]:
        """Return all coils, the newest first, also where the clock was set back since."""
        rows = self._all(sa.select(*_COIL).where(_SEEN).order_by(*_NEWEST_FIRST))
        return tuple(coil_of(row, name=self.name) for row in rows)

    def coil(self, coil: str) -> CoilRecord:
        """Return a coil.

        Raises:
            StoreError: There is none of that id; the message names those that are there.
        """
        rows = self._all(sa.select(*_COIL).where(_SEEN, COIL.c.id == coil))
        if not rows:
            raise self._unknown_coil(coil)
        return coil_of(rows[0], name=self.name)

    def defects(self, coil: str) -> tuple[Defect, ...]:
        """Return the defects of a coil by number."""
        found = sa.select(DEFECT).where(DEFECT.c.coil == coil).order_by(DEFECT.c.number)
        return tuple(defect_of(row) for row in self._all(found))

    def runs(self, coil: str, number: int) -> Runs:
        """Return the mask of a defect, int64 ``[n, 3]``, by line, then column; empty if none."""
        parts = sa.select(MASK_PART.c.runs).where(_of_defect(MASK_PART, coil, number))
        rows = self._all(parts.order_by(MASK_PART.c.id))
        return join_runs([runs_of(row["runs"], name=self.name) for row in rows])

    def masks(self, coil: str) -> dict[int, Runs]:
        """Return the masks of all defects of a coil by number; for one, ``runs`` is enough."""
        parts: dict[int, list[Runs]] = {}
        found = sa.select(MASK_PART.c.number, MASK_PART.c.runs).where(MASK_PART.c.coil == coil)
        for row in self._all(found.order_by(MASK_PART.c.id)):
            parts.setdefault(row["number"], []).append(runs_of(row["runs"], name=self.name))
        return {number: join_runs(of_one) for number, of_one in parts.items()}

    def picture(self, coil: str, number: int) -> Picture | None:
        """Return the picture of a defect, where there is one."""
        rows = self._all(sa.select(*_PICTURE).where(_of_defect(PICTURE, coil, number)))
        return Picture(**rows[0]) if rows else None

    def coverage(self, coil: str) -> tuple[CoverageInterval, ...]:
        """Return the coverage of a coil by camera, then line."""
        found = sa.select(COVERAGE).where(COVERAGE.c.coil == coil)
        rows = self._all(found.order_by(COVERAGE.c.camera, COVERAGE.c.first_line))
        return tuple(interval_of(row) for row in rows)

    def gradings(self, coil: str) -> tuple[Grading, ...]:
        """Return the judgements of a coil, the newest first, which is the one that counts."""
        found = sa.select(GRADING).where(GRADING.c.coil == coil).order_by(GRADING.c.id.desc())
        return tuple(grading_of(row, name=self.name) for row in self._all(found))

    def roll_repeats(self, coil: str) -> tuple[RollRepeat, ...]:
        """Return the roll repeats of a coil by number, with all their defects."""
        prints = sa.select(ROLL_PRINT).where(ROLL_PRINT.c.coil == coil)
        defects: dict[int, list[int]] = {}
        for row in self._all(prints.order_by(ROLL_PRINT.c.repeat, ROLL_PRINT.c.defect)):
            defects.setdefault(row["repeat"], []).append(row["defect"])
        found = sa.select(ROLL_REPEAT).where(ROLL_REPEAT.c.coil == coil)
        rows = self._all(found.order_by(ROLL_REPEAT.c.number))
        return tuple(repeat_of(row, defects.get(row["number"], [])) for row in rows)

    def _all(self, statement: sa.Executable) -> list[dict[str, Any]]:
        with self.backend.errors():
            result = self._connection.execute(statement)
            names = tuple(result.keys())
            return [dict(zip(names, row, strict=True)) for row in result]

    def _do(self, statement: sa.Executable) -> None:
        with self.backend.errors():
            self._connection.execute(statement)

    def _put(
        self, table: sa.Table, values: Mapping[str, object], *, key: tuple[str, ...] = ()
    ) -> None:
        with self.backend.errors():
            self._upserts.put(table, values, key=key)

    def _unknown_coil(self, coil: str) -> StoreError:
        rows = self._all(sa.select(COIL.c.id).where(_SEEN).order_by(*_NEWEST_FIRST))
        known = [row["id"] for row in rows]
        if not known:
            return StoreError(f"coil {coil} is not in {self.name}: the store has no coil yet")
        near = difflib.get_close_matches(coil, known, n=1)
        shown = ", ".join(known[:_SHOWN_IDS])
        more = f" and {len(known) - _SHOWN_IDS} more" if len(known) > _SHOWN_IDS else ""
        hint = f"did you mean {near[0]}? " if near else ""
        return StoreError(f"coil {coil} is not in {self.name}: {hint}It has {shown}{more}")


_SEEN = COIL.c.id.not_in(sa.select(COIL_REMOVAL.c.coil))
_NEWEST_FIRST = [key.desc() for key in OLDEST_FIRST]


def _of_defect(table: sa.Table, coil: str, number: int) -> sa.ColumnElement[bool]:
    own = table.c
    return sa.and_(own.coil == coil, own.number == int(number))
