"""What is kept of every coil: defects, masks, pictures, coverage, roll repeats, in one SQLite file.

One process writes, through one connection that belongs to the thread that opened it; any number
of readers may look on (https://www.sqlite.org/wal.html). What was committed survives a kill and,
with ``synchronous = FULL``, a power cut.
"""

import difflib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from stripscan.contract.block import LineRange
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.errors import StoreError
from stripscan.contract.grading import Grading
from stripscan.contract.rle import Runs
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.store_records import (
    CoilRecord,
    CoilStatus,
    Picture,
    Stat,
    dump_classes,
    dump_reasons,
    dump_stats,
    join_runs,
    load_classes,
    load_reasons,
    pack_runs,
    unpack_runs,
)
from stripscan.runtime.store_schema import connect, lock_for_writing, store_errors

__all__ = ["CoilRecord", "CoilStatus", "Picture", "Stat", "Store"]

_SHOWN_IDS = 5


class Store:
    """A store that is open; leaving its ``with`` block closes it.

    Each write outside ``transaction`` is committed on its own. Every method raises
    ``StoreError`` where the file cannot be read or written, with the cause and the remedy.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: IO[bytes] | None = None
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False) -> Self:
        """Open a store, and make it where there is none and it is to be written.

        Raises:
            StoreError: It is missing, damaged, locked, written to by another process, not a
                store, or of a newer version.
        """
        if readonly:
            return cls(path, connect(path, readonly=True))
        lock = lock_for_writing(path)
        try:
            return cls(path, connect(path, readonly=False), lock)
        except BaseException:
            lock.close()
            raise

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
        try:
            with store_errors(self.path):
                self._connection.close()
        finally:
            if self._lock is not None:
                self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes of the block together, or none where an error leaves it."""
        with store_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads of the block see one moment, whatever the writer commits meanwhile."""
        with store_errors(self.path):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def recover(self) -> tuple[str, ...]:
        """Mark coils left "running" by a process that died as interrupted, and return their ids.

        To be called after opening, before ``start_coil``: only one process writes to a store, so
        nobody else is still at work on them.
        """
        rows = self._all(
            "UPDATE coil SET status = 'interrupted' WHERE status = 'running' RETURNING id"
        )
        return tuple(row["id"] for row in rows)

    def start_coil(self, record: CoilRecord) -> None:
        """Add a coil.

        Raises:
            StoreError: A coil of that id is there already.
        """
        if self._all("SELECT 1 FROM coil WHERE id = ?", record.id):
            raise StoreError(f"coil {record.id} is already in {self.path}; choose another id")
        values = {f.name: getattr(record, f.name) for f in fields(record)}
        values["classes"] = dump_classes(record.classes)
        values["stats"] = dump_stats(record.stats)
        self._put("coil", values, key=())

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
        rows = self._all(
            "UPDATE coil SET ended_at = ?, status = ?, length_m = ?, stats = ? WHERE id = ?"
            " RETURNING id",
            *(ended_at, status, length_m, dump_stats(stats), coil),
        )
        if not rows:
            raise self._unknown_coil(coil)

    def put_defect(self, defect: Defect) -> None:
        """Add a defect, or replace the one of the same coil and number."""
        values = {name: getattr(defect, name) for name in _DEFECT_FIELDS}
        values["phase"] = str(defect.phase)
        values["class_share"] = json.dumps(
            {name: float(share) for name, share in defect.class_share.items()}
        )
        self._put("defect", values, key=("coil", "number"))

    def add_runs(self, coil: str, number: int, runs: Runs) -> None:
        """Append a part to the mask of a defect, which is there at COMMIT at the latest.

        Args:
            coil: Id of the coil.
            number: Number of the defect.
            runs: int64 ``[n, 3]``, of pixels that no other part of this mask has.
        """
        values = {"coil": coil, "number": number, "runs": pack_runs(runs)}
        self._put("mask_part", values, key=())

    def merge_defect(self, coil: str, number: int, into: int) -> None:
        """Give the mask of a defect to another, and remove its record and picture."""
        if number == into:
            raise StoreError(f"defect {number} of coil {coil} cannot be merged into itself")
        if not self._connection.in_transaction:
            with self.transaction():
                self.merge_defect(coil, number, into)
            return
        which = (coil, int(number))
        self._all(
            "UPDATE mask_part SET number = ? WHERE coil = ? AND number = ?", int(into), *which
        )
        self._all("DELETE FROM picture WHERE coil = ? AND number = ?", *which)
        self._all("DELETE FROM defect WHERE coil = ? AND number = ?", *which)

    def put_picture(self, coil: str, number: int, picture: Picture) -> None:
        """Add or replace the picture of a defect, which is there at COMMIT at the latest."""
        values = {"coil": coil, "number": number}
        values |= {f.name: getattr(picture, f.name) for f in fields(picture)}
        self._put("picture", values, key=("coil", "number"))

    def put_coverage(self, coil: str, interval: CoverageInterval) -> None:
        """Add an interval, or replace the one of the same camera and first line."""
        values = {
            "coil": coil,
            "camera": interval.camera,
            "first_line": interval.lines.start,
            "stop_line": interval.lines.stop,
            "along_start_m": interval.along_start_m,
            "along_end_m": interval.along_end_m,
            "status": str(interval.status),
            "reason": interval.reason,
        }
        self._put("coverage", values, key=("coil", "camera", "first_line"))

    def put_grading(self, grading: Grading) -> None:
        """Add a judgement of a coil to those that it has."""
        values = {f.name: getattr(grading, f.name) for f in fields(grading)}
        self._put("grading", values | {"reasons": dump_reasons(grading.reasons)}, key=())

    def put_roll_repeat(self, repeat: RollRepeat) -> None:
        """Add a roll repeat, or replace the one of the same number; its defects are added."""
        if not self._connection.in_transaction:
            with self.transaction():
                self.put_roll_repeat(repeat)
            return
        values = {name: getattr(repeat, name) for name in _REPEAT_FIELDS}
        values |= {"phase": str(repeat.phase), "rolls": json.dumps(repeat.rolls)}
        self._put("roll_repeat", values, key=("coil", "number"))
        for defect in repeat.defects:
            of_one = {"coil": repeat.coil, "repeat": repeat.number, "defect": defect}
            self._put("roll_print", of_one, key=())

    def coils(self) -> tuple[CoilRecord, ...]:
        """Return all coils, the newest first, also where the clock was set back since."""
        rows = self._all("SELECT * FROM coil ORDER BY rowid DESC")
        return tuple(self._coil_of(row) for row in rows)

    def coil(self, coil: str) -> CoilRecord:
        """Return a coil.

        Raises:
            StoreError: There is none of that id; the message names those that are there.
        """
        rows = self._all("SELECT * FROM coil WHERE id = ?", coil)
        if not rows:
            raise self._unknown_coil(coil)
        return self._coil_of(rows[0])

    def defects(self, coil: str) -> tuple[Defect, ...]:
        """Return the defects of a coil by number."""
        rows = self._all("SELECT * FROM defect WHERE coil = ? ORDER BY number", coil)
        return tuple(_defect_of(row) for row in rows)

    def runs(self, coil: str, number: int) -> Runs:
        """Return the mask of a defect, int64 ``[n, 3]``, by line, then column; empty if none."""
        rows = self._all(
            "SELECT runs FROM mask_part WHERE coil = ? AND number = ? ORDER BY id",
            *(coil, int(number)),
        )
        return join_runs([self._unpacked(row) for row in rows])

    def masks(self, coil: str) -> dict[int, Runs]:
        """Return the masks of all defects of a coil by number; for one, ``runs`` is enough."""
        parts: dict[int, list[Runs]] = {}
        for row in self._all("SELECT number, runs FROM mask_part WHERE coil = ? ORDER BY id", coil):
            parts.setdefault(row["number"], []).append(self._unpacked(row))
        return {number: join_runs(of_one) for number, of_one in parts.items()}

    def picture(self, coil: str, number: int) -> Picture | None:
        """Return the picture of a defect, where there is one."""
        rows = self._all(
            "SELECT image_png, first_line, first_px, lines, width FROM picture"
            " WHERE coil = ? AND number = ?",
            *(coil, int(number)),
        )
        return Picture(**dict(rows[0])) if rows else None

    def coverage(self, coil: str) -> tuple[CoverageInterval, ...]:
        """Return the coverage of a coil by camera, then line."""
        rows = self._all("SELECT * FROM coverage WHERE coil = ? ORDER BY camera, first_line", coil)
        return tuple(_interval_of(row) for row in rows)

    def gradings(self, coil: str) -> tuple[Grading, ...]:
        """Return the judgements of a coil, the newest first, which is the one that counts."""
        names = [f.name for f in fields(Grading)]
        sql = f"SELECT {', '.join(names)} FROM grading WHERE coil = ? ORDER BY id DESC"  # noqa: S608 - names are ours
        return tuple(self._grading_of(row) for row in self._all(sql, coil))

    def roll_repeats(self, coil: str) -> tuple[RollRepeat, ...]:
        """Return the roll repeats of a coil by number, with all their defects."""
        defects: dict[int, list[int]] = {}
        for row in self._all(
            "SELECT repeat, defect FROM roll_print WHERE coil = ? ORDER BY repeat, defect", coil
        ):
            defects.setdefault(row["repeat"], []).append(row["defect"])
        rows = self._all("SELECT * FROM roll_repeat WHERE coil = ? ORDER BY number", coil)
        return tuple(_repeat_of(row, defects.get(row["number"], [])) for row in rows)

    def _all(self, sql: str, *values: object) -> list[Any]:
        with store_errors(self.path):
            cursor = self._connection.execute(sql, values)
            cursor.row_factory = sqlite3.Row
            return cursor.fetchall()

    def _put(self, table: str, values: Mapping[str, object], *, key: tuple[str, ...]) -> None:
        """Insert a row, or replace the one of the same key; an empty key only inserts."""
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608 - names are ours, values are bound
        if key:
            changes = ", ".join(f"{name} = excluded.{name}" for name in values if name not in key)
            sql += f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
        self._all(sql, *map(_plain, values.values()))

    def _unpacked(self, row: sqlite3.Row) -> Runs:
        try:
            return unpack_runs(row["runs"])
        except ValueError as error:
            raise StoreError(f"{self.path} is damaged: {error}") from error

    def _coil_of(self, row: sqlite3.Row) -> CoilRecord:
        values = dict(row)
        try:
            values["classes"] = load_classes(values["classes"])
            values["stats"] = json.loads(values["stats"])
        except (ValueError, TypeError) as error:
            raise StoreError(
                f"{self.path} is damaged: coil {values['id']} cannot be read ({error})"
            ) from error
        return CoilRecord(**values)

    def _grading_of(self, row: sqlite3.Row) -> Grading:
        try:
            return Grading(**dict(row) | {"reasons": load_reasons(row["reasons"])})
        except (ValueError, TypeError) as error:
            raise StoreError(
                f"{self.path} is damaged: a grading of coil {row['coil']} cannot be read ({error})"
            ) from error

    def _unknown_coil(self, coil: str) -> StoreError:
        known = [row["id"] for row in self._all("SELECT id FROM coil ORDER BY rowid DESC")]
        if not known:
            return StoreError(f"coil {coil} is not in {self.path}: the store has no coil yet")
        near = difflib.get_close_matches(coil, known, n=1)
        shown = ", ".join(known[:_SHOWN_IDS])
        more = f" and {len(known) - _SHOWN_IDS} more" if len(known) > _SHOWN_IDS else ""
        hint = f"did you mean {near[0]}? " if near else ""
        return StoreError(f"coil {coil} is not in {self.path}: {hint}It has {shown}{more}")


_DEFECT_FIELDS = tuple(f.name for f in fields(Defect))
_REPEAT_FIELDS = tuple(f.name for f in fields(RollRepeat) if f.name != "defects")


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _defect_of(row: sqlite3.Row) -> Defect:
    values = dict(row)
    values["phase"] = DefectPhase(values["phase"])
    values["class_share"] = json.loads(values["class_share"])
    return Defect(**values)


def _repeat_of(row: sqlite3.Row, defects: list[int]) -> RollRepeat:
    values = dict(row)
    values["phase"] = DefectPhase(values["phase"])
    values["rolls"] = tuple(json.loads(values["rolls"]))
    return RollRepeat(**values, defects=tuple(defects))


def _interval_of(row: sqlite3.Row) -> CoverageInterval:
    return CoverageInterval(
        camera=row["camera"],
        lines=LineRange(start=row["first_line"], stop=row["stop_line"]),
        along_start_m=row["along_start_m"],
        along_end_m=row["along_end_m"],
        status=CoverageStatus(row["status"]),
        reason=row["reason"],
    )
