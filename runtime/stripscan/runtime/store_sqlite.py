"""A store in one SQLite file: its opening, its writer's lock, and what its errors mean."""

import fcntl
import shutil
import sqlite3
from functools import partial
from pathlib import Path
from typing import IO, Final

import sqlalchemy as sa

from stripscan.contract.errors import StoreError
from stripscan.runtime.store_backend import Backend, store_errors
from stripscan.runtime.store_schema import SCHEMA_VERSION, check_version, upgrade

APPLICATION_ID: Final = 0x53545253
"""``STRS``, kept in ``PRAGMA application_id``: tells a store from any other database."""

BUSY_TIMEOUT_S: Final = 5.0
"""How long a statement waits for another process."""


def open_sqlite(path: Path, *, readonly: bool, exclusive: bool) -> Backend:
    """Open a store; see ``Store.open``.

    A store of an older version is brought up to date first, to be read as well.

    Raises:
        StoreError: No such file, not a store, damaged, locked, or of a newer version; or of an
            older one and not to be written.
    """
    if readonly or not exclusive:
        if not path.is_file():
            raise StoreError(
                f"there is no store at {path}: check the path, or inspect a coil first"
            )
        if not _is_current(path):
            open_sqlite(path, readonly=False, exclusive=True).close()
        return _backend(path, _connect(path, readonly=readonly), lock=None)
    lock = lock_for_writing(path)
    try:
        return _backend(path, _up_to_date(path), lock)
    except BaseException:
        lock.close()
        raise


def _backend(path: Path, connection: sa.Connection, lock: IO[bytes] | None) -> Backend:
    def close() -> None:
        try:
            connection.close()
        finally:
            if lock is not None:
                lock.close()

    return Backend(
        name=str(path),
        connection=connection,
        begin_to_write="BEGIN IMMEDIATE",
        begin_to_read="BEGIN",
        explain=partial(_explain, path),
        close=close,
    )


def _connect(path: Path, *, readonly: bool) -> sa.Connection:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rwc'}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
        )

    engine = sa.create_engine(
        "sqlite://", creator=connect, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    with store_errors(partial(_explain, path)):
        connection = engine.connect()
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        connection.exec_driver_sql("PRAGMA synchronous = FULL")
    return connection


def _is_current(path: Path) -> bool:
    with _connect(path, readonly=True) as connection, store_errors(partial(_explain, path)):
        return _version(connection, path) == SCHEMA_VERSION


def _up_to_date(path: Path) -> sa.Connection:
    connection = _connect(path, readonly=False)
    try:
        with store_errors(partial(_explain, path)):
            version = _version(connection, path)
            if version < SCHEMA_VERSION:
                _upgrade(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sa.Connection, path: Path) -> int:
    """Return the version of a store, 0 of an empty file."""
    # First of all, so that a foreign file is refused before anything is written to it.
    tables = connection.scalar(sa.text("SELECT count(*) FROM sqlite_master"))
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if tables == 0 and application == 0:
        return 0
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is a database, but not a stripscan store: check the path")
    check_version(str(path), version)
    return version


def _upgrade(connection: sa.Connection, version: int) -> None:
    if version == 0:
        # Both must come before the first table.
        connection.exec_driver_sql("PRAGMA auto_vacuum = INCREMENTAL")
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        upgrade(connection, version)
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.connection.rollback()
        raise


def _explain(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return (
            f"the disk of {path} is full: free space there ({_free_mb(path)} MB are free) or "
            "raise its quota; what was committed is kept"
        )
    reasons = {
        sqlite3.SQLITE_BUSY: "is locked by another process: end it, or use another store",
        sqlite3.SQLITE_LOCKED: "is locked by another process: end it, or use another store",
        sqlite3.SQLITE_READONLY: "cannot be written: check its permissions and the mount",
        sqlite3.SQLITE_PERM: "cannot be written: check its permissions and the mount",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened: check the path and its permissions",
        sqlite3.SQLITE_IOERR: "cannot be read or written: check the disk, its quota and the mount",
        sqlite3.SQLITE_CORRUPT: "is damaged: restore it from a backup, or use another store",
        sqlite3.SQLITE_NOTADB: "is not a stripscan store: check the path",
    }
    return f"{path} {reasons.get(code, 'refused what was asked of it')} ({error})"


def _free_mb(path: Path) -> int:
    return shutil.disk_usage(path.parent).free // 1_000_000


def lock_for_writing(path: Path) -> IO[bytes]:
    """Take the store for this process; closing the returned file, or dying, gives it back.

    The lock is on a file beside the store: closing any handle of the store itself would drop the
    locks that SQLite holds (https://www.sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        StoreError: Another process writes to it, or the folder is missing or cannot be written.
    """
    if not path.parent.is_dir():
        raise StoreError(f"the folder {path.parent} does not exist: make it, then try again")
    lock_path = path.with_name(f"{path.name}.lock")
    try:
        lock = lock_path.open("ab")
    except OSError as error:
        raise StoreError(f"{lock_path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreError(
            f"{path} is written to by another stripscan: end it, or use another store"
        ) from error
    return lock
