"""Coils from one store to another: from a line's own file to the server of the plant.

A coil is copied in one transaction, so it is there whole or not at all, and a coil that is there
already is not copied again: whatever was cut off is simply done once more.
"""

import logging
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from stripscan.contract.errors import StoreError
from stripscan.runtime.store import CoilRecord, Store
from stripscan.runtime.store_tables import (
    COIL,
    COIL_COPY,
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
from stripscan.runtime.wall_clock import stamp, utc_now

logger = logging.getLogger(__name__)

# Not what only this store is concerned with, such as what it still has to send.
_TABLES: Final = (DEFECT, MASK_PART, PICTURE, COVERAGE, ROLL_REPEAT, ROLL_PRINT, GRADING)
_ROWS: Final = 200
"""Rows that are held in memory; pictures are the largest, with up to a few 100 kB."""


def copy_coil(source: Store, target: Store, coil: str) -> bool:
    """Copy a coil that has ended, with all that belongs to it, and note it in the source.

    Args:
        source: Where it is; writable, ``exclusive`` or not.
        target: Where it shall be, writable.
        coil: Its id.

    Returns:
        Whether it was copied; not where it was there already.

    Raises:
        StoreError: It has not ended, another coil of that id is there, or one of the stores
            cannot be read or written.
    """
    with source.snapshot():
        record = source.coil(coil)
        if record.status == "running":
            raise StoreError(f"coil {coil} has not ended: copy it when it has")
        with target.transaction():
            news = not _is_there(target, record)
            if news:
                theirs = target.backend.connection
                position = theirs.execute(NEXT_POSITION).scalar_one()
                for table, rows in _rows(source, coil):
                    theirs.execute(sa.insert(table), rows)
                mine = sa.update(COIL).where(COIL.c.id == coil)
                theirs.execute(mine.values(position=position))
    now = stamp(utc_now())
    with source.transaction():
        noted = source.backend.connection
        noted.execute(sa.delete(COIL_COPY).where(COIL_COPY.c.coil == coil, _at(target.name)))
        note = {"coil": coil, "place": target.name, "copied_at": now}
        noted.execute(sa.insert(COIL_COPY).values(note))
    if news:
        logger.info("coil copied", extra={"coil": coil, "to": target.name})
    return news


def _at(place: str) -> sa.ColumnElement[bool]:
    return COIL_COPY.c.place == place


def _is_there(target: Store, record: CoilRecord) -> bool:
    """Return whether this very coil is in the target.

    Raises:
        StoreError: Another one of that id is.
    """
    found = sa.select(COIL.c.station, COIL.c.started_at).where(COIL.c.id == record.id)
    there = target.backend.connection.execute(found).one_or_none()
    if there is None:
        return False
    if tuple(there) != (record.station, record.started_at):
        raise StoreError(
            f"coil {record.id} of {record.station}, {record.started_at}, cannot be copied: "
            f"{target.name} has another of that id, of {there.station}, {there.started_at}. "
            "Give each line a schema of its own: end its URL with ?options=-csearch_path%3Dline2"
        )
    return True


def _rows(source: Store, coil: str) -> Iterator[tuple[sa.Table, list[dict[str, object]]]]:
    """Yield all rows of a coil, a few at a time, those that others refer to first."""
    for table in (COIL, *_TABLES):
        key = table.c.id if table is COIL else table.c.coil
        # Numbers that the database gives are given anew, in the same order.
        given = {column.name for column in table.columns if column.identity}
        found = sa.select(table).where(key == coil).order_by(*table.primary_key)
        with source.backend.errors():
            streamed = source.backend.connection.execute(
                found, execution_options={"yield_per": _ROWS}
            )
            for part in streamed.mappings().partitions():
                yield table, [{k: row[k] for k in row if k not in given} for row in part]


def not_copied(source: Store, place: str) -> tuple[str, ...]:
    """Return the coils that have ended and are not known to be in another store, oldest first.

    Args:
        source: Where they are.
        place: ``name`` of the other store.

    Raises:
        StoreError: The store cannot be read.
    """
    copied = sa.select(COIL_COPY.c.coil).where(_at(place))
    found = sa.select(COIL.c.id).where(
        COIL.c.status != "running",
        COIL.c.id.not_in(copied),
        COIL.c.id.not_in(sa.select(COIL_REMOVAL.c.coil)),
    )
    with source.backend.errors():
        asked = found.order_by(*OLDEST_FIRST)
        return tuple(source.backend.connection.scalars(asked))
