"""Statements of the hot path, compiled once: 200 defects a second leave no time to compile."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from stripscan.runtime.store_rows import plain

_INSERT: Final[dict[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Upserts:
    """Puts rows into tables.

    Args:
        connection: To the store.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._compiled: dict[tuple[str, tuple[str, ...]], tuple[str, list[str] | None]] = {}

    def put(
        self, table: sa.Table, values: Mapping[str, object], *, key: tuple[str, ...] = ()
    ) -> None:
        """Insert a row, or replace the one of the same key; an empty key only inserts."""
        which = (table.name, key)
        if which not in self._compiled:
            self._compiled[which] = self._compile(table, tuple(values), key)
        sql, order = self._compiled[which]
        # A driver that counts its values wants them in order, one that names them by name.
        given = (
            tuple([plain(values[name]) for name in order])
            if order is not None
            else {name: plain(value) for name, value in values.items()}
        )
        self._connection.exec_driver_sql(sql, given)

    def _compile(
        self, table: sa.Table, names: tuple[str, ...], key: tuple[str, ...]
    ) -> tuple[str, list[str] | None]:
        dialect = self._connection.dialect
        statement = _INSERT[dialect.name](table)
        if key:
            changes = {name: statement.excluded[name] for name in names if name not in key}
            statement = statement.on_conflict_do_update(index_elements=key, set_=changes)
        compiled = statement.compile(dialect=dialect, column_keys=names)
        return str(compiled), compiled.positiontup if compiled.positional else None
