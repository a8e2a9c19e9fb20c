"""The tables of a store, its opening, and the one place where SQLite's errors become ours."""

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from stripscan.contract.errors import StoreError

APPLICATION_ID: Final = 0x53545253
"""``STRS``, kept in ``PRAGMA application_id``: tells a store from any other database."""

BUSY_TIMEOUT_S: Final = 5.0
"""How long a statement waits for another process."""

# References are checked at COMMIT, so a defect and its parts may come in any order.
SCHEMA: Final = """
CREATE TABLE coil (
    id TEXT PRIMARY KEY,
    station TEXT NOT NULL,
    camera TEXT NOT NULL,
    surface TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    status TEXT NOT NULL CHECK (status IN ('running', 'complete', 'interrupted', 'failed')),
    width_px INTEGER NOT NULL,
    mm_per_px REAL NOT NULL,
    mm_per_line REAL NOT NULL,
    length_m REAL,
    bundle_name TEXT NOT NULL,
    bundle_digest TEXT NOT NULL,
    classes TEXT NOT NULL,
    stats TEXT NOT NULL
) STRICT;
CREATE TABLE defect (
    coil TEXT NOT NULL REFERENCES coil (id) DEFERRABLE INITIALLY DEFERRED,
    number INTEGER NOT NULL,
    phase TEXT NOT NULL,
    class_name TEXT NOT NULL,
    confidence REAL NOT NULL,
    class_share TEXT NOT NULL,
    severity TEXT NOT NULL,
    along_start_m REAL NOT NULL,
    along_end_m REAL NOT NULL,
    across_left_mm REAL NOT NULL,
    across_right_mm REAL NOT NULL,
    area_mm2 REAL NOT NULL,
    length_mm REAL NOT NULL,
    width_mm REAL NOT NULL,
    edge_left_mm REAL NOT NULL,
    edge_right_mm REAL NOT NULL,
    first_line INTEGER NOT NULL,
    last_line INTEGER NOT NULL,
    first_px INTEGER NOT NULL,
    last_px INTEGER NOT NULL,
    area_px INTEGER NOT NULL,
    PRIMARY KEY (coil, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE mask_part (
    id INTEGER PRIMARY KEY,
    coil TEXT NOT NULL,
    number INTEGER NOT NULL,
    runs BLOB NOT NULL,
    FOREIGN KEY (coil, number) REFERENCES defect (coil, number) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX mask_part_of_defect ON mask_part (coil, number);
CREATE TABLE picture (
    coil TEXT NOT NULL,
    number INTEGER NOT NULL,
    image_png BLOB NOT NULL,
    first_line INTEGER NOT NULL,
    first_px INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    width INTEGER NOT NULL,
    PRIMARY KEY (coil, number),
    FOREIGN KEY (coil, number) REFERENCES defect (coil, number) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE TABLE coverage (
    coil TEXT NOT NULL REFERENCES coil (id) DEFERRABLE INITIALLY DEFERRED,
    camera TEXT NOT NULL,
    first_line INTEGER NOT NULL,
    stop_line INTEGER NOT NULL,
    along_start_m REAL NOT NULL,
    along_end_m REAL NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (coil, camera, first_line)
) STRICT, WITHOUT ROWID;
"""

_GRADINGS: Final = """
CREATE TABLE grading (
    id INTEGER PRIMARY KEY,
    coil TEXT NOT NULL REFERENCES coil (id) DEFERRABLE INITIALLY DEFERRED,
    graded_at TEXT NOT NULL,
    rules_name TEXT NOT NULL,
    rules_version TEXT NOT NULL,
    rules_sha256 TEXT NOT NULL,
    rules_text TEXT NOT NULL,
    grade TEXT NOT NULL CHECK (grade IN ('accept', 'downgrade', 'hold')),
    reasons TEXT NOT NULL
) STRICT;
CREATE INDEX grading_of_coil ON grading (coil, id);
"""

# A print refers to its repeat alone: the write that had its defect may have failed.
_ROLL_REPEATS: Final = """
CREATE TABLE roll_repeat (
    coil TEXT NOT NULL REFERENCES coil (id) DEFERRABLE INITIALLY DEFERRED,
    number INTEGER NOT NULL,
    phase TEXT NOT NULL,
    class_name TEXT NOT NULL,
    rolls TEXT NOT NULL,
    period_mm REAL NOT NULL,
    diameter_mm REAL NOT NULL,
    across_mm REAL NOT NULL,
    first_m REAL NOT NULL,
    last_m REAL NOT NULL,
    prints INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    PRIMARY KEY (coil, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE roll_print (
    coil TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    defect INTEGER NOT NULL,
    PRIMARY KEY (coil, repeat, defect),
    FOREIGN KEY (coil, repeat) REFERENCES roll_repeat (coil, number) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
"""

# Until then a coil had one camera, and all its defects were on the surface that it saw.
_SURFACES: Final = """
ALTER TABLE defect ADD COLUMN surface TEXT NOT NULL DEFAULT 'top';
UPDATE defect SET surface = (SELECT surface FROM coil WHERE coil.id = defect.coil);
"""

UPGRADES: Final[tuple[str, ...]] = (_ROLL_REPEATS, _GRADINGS, _SURFACES)
"""Scripts from version 1 to 2, from 2 to 3, and so on. What was released never changes."""

SCHEMA_VERSION: Final = 1 + len(UPGRADES)
"""Kept in ``PRAGMA user_version``."""


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ``StoreError`` with the path and what to do.

    Raises:
        StoreError: Whatever SQLite met inside the block.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(_message(path, error)) from error


def _message(path: Path, error: sqlite3.Error) -> str:
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


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Open a store; one that is not there is made, unless it is only to be read.

    A store of an older version is brought up to date first, to be read as well.

    Raises:
        StoreError: No such file, not a store, damaged, locked, or of a newer version; or of an
            older one and not to be written.
    """
    if readonly and not path.is_file():
        raise StoreError(f"there is no store at {path}: check the path, or inspect a coil first")
    mode = "ro" if readonly else "rwc"
    with store_errors(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
        )
    try:
        with store_errors(path):
            connection.execute("PRAGMA foreign_keys = ON")
            if not readonly:
                connection.execute("PRAGMA synchronous = FULL")
            version = _version(connection, path, readonly=readonly)
            if version == SCHEMA_VERSION:
                return connection
            if not readonly:
                _upgrade(connection, version)
                return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    with lock_for_writing(path):
        connect(path, readonly=False).close()
    return connect(path, readonly=True)


def _version(connection: sqlite3.Connection, path: Path, *, readonly: bool) -> int:
    # First of all, so that a foreign file is refused before anything is written to it.
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if tables == 0 and application == 0 and not readonly:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
            " PRAGMA user_version = 1; COMMIT;"
        )
        return 1
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is a database, but not a stripscan store: check the path")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} has version {version} and this stripscan reads up to {SCHEMA_VERSION}: "
            "upgrade stripscan"
        )
    return int(version)


def _upgrade(connection: sqlite3.Connection, version: int) -> None:
    scripts = " ".join(UPGRADES[version - 1 :])
    connection.executescript(
        f"BEGIN IMMEDIATE; {scripts} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


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
