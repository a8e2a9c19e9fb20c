"""Files that are whole or not there: written beside, synced, then renamed into place."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from stripscan.contract.errors import StoreError


@contextmanager
def atomic_write(path: Path, *, staged_in: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces ``path`` when the block ends without an error.

    A crash or an error before the end leaves what was at ``path`` untouched. A link is followed. A
    pipe or a device, such as ``/dev/stdout``, is written to and not replaced.

    Args:
        path: What is replaced.
        staged_in: Folder on the same file system where a crash may leave the unfinished file; the
            folder of ``path`` where None.

    Raises:
        OSError: The folder is missing or not writable, or the disk is full.
    """
    path = Path(os.path.realpath(path))  # Path.resolve raises RuntimeError for links in a loop
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    handle, name = tempfile.mkstemp(
        dir=staged_in or path.parent, prefix=f".{path.name}.", suffix=".part"
    )
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole, or leave what was there.

    Raises:
        StoreError: The folder is missing or not writable, or the disk is full.
    """
    try:
        with atomic_write(path) as file:
            file.write(data)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Make the renames in a folder survive a power cut (POSIX; see ``man 2 fsync``)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
