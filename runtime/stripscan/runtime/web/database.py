"""What the live page itself keeps, in a small SQLite file of its own beside the store.

The store has one writer, the station; this file is written by ``stripscan serve`` and
``stripscan users``. It holds password hashes, so that only its owner may read it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from stripscan.contract.errors import StoreError
from stripscan.runtime.wall_clock import stamp, utc_now

APPLICATION_ID: Final = 0x53545257
"""``STRW``, kept in ``PRAGMA application_id``."""

VERSION: Final = 1
BUSY_TIMEOUT_S: Final = 5.0

_SCHEMA: Final = """
CREATE TABLE user (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'reviewer', 'engineer')),
    password_hash TEXT NOT NULL,
    added_at TEXT NOT NULL
) STRICT;
CREATE TABLE session (
    digest TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
    used_s INTEGER NOT NULL
) STRICT;
CREATE TABLE token (
    digest TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
    label TEXT NOT NULL,
    added_at TEXT NOT NULL,
    UNIQUE (user, label)
) STRICT;
CREATE TABLE review (
    id INTEGER PRIMARY KEY,
    coil TEXT NOT NULL,
    number INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('confirm', 'reclass', 'reject', 'undo')),
    class_name TEXT NOT NULL,
    user TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX review_of_defect ON review (coil, number, id);
CREATE TABLE acknowledgement (
    alarm TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    user TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""


class WebDatabase:
    """The file; each call opens it anew, so that any thread may make one.

    Args:
        path: Where it is; made where it is not.

    Raises:
        StoreError: It cannot be opened or made, is another database, or may be read by others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            self._make()
            if path.stat().st_mode & 0o077:
                raise StoreError(
                    f"{path} holds password hashes and may be read by others: chmod 600 {path}"
                )
            self._check()

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Run one statement, committed at once, and return its rows."""
        with self._errors(), closing(self._connect()) as connection:
            return connection.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit all statements of the block together, or none where an error leaves it."""
        with self._errors(), closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def note(self, action: str, *, user: str, address: str, detail: str = "") -> None:
        """Write a line of the audit log.

        Args:
            action: What was done, e.g. ``"login"``.
            user: Who did it, or tried to.
            address: From which machine.
            detail: To what.
        """
        self.rows(
            "INSERT INTO audit (at, user, address, action, detail) VALUES (?, ?, ?, ?, ?)",
            *(now(), user, address, action, detail),
        )

    def secret(self, name: str) -> bytes:
        """Return 32 random bytes that stay the same as long as the file is there."""
        with self.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO secret VALUES (?, ?)", (name, os.urandom(32)))
            (value,) = connection.execute(
                "SELECT value FROM secret WHERE name = ?", (name,)
            ).fetchone()
        return bytes(value)

    def _make(self) -> None:
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return
        os.close(handle)

    def _check(self) -> None:
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("ROLLBACK")
            if not tables and not application:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
                    f" PRAGMA user_version = {VERSION}; COMMIT;"
                )
            elif application != APPLICATION_ID:
                raise StoreError(f"{self.path} is not a database of a live page: check the path")
            elif version > VERSION:
                raise StoreError(
                    f"{self.path} has version {version} and this stripscan reads up to {VERSION}: "
                    "upgrade stripscan"
                )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.path} cannot be used: {error}; check the file, the disk and who else has "
                "it open"
            ) from error
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be opened: {error.strerror or error}; check the folder and "
                "its permissions"
            ) from error


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return stamp(utc_now())
