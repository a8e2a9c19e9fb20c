"""Folders and zips that replace what was there, whole or not at all."""

import logging
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from stripscan.contract.files import atomic_write, sync_folder

_LOG = logging.getLogger(__name__)
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_LEVEL: Final = 6
_WELL_BELOW_A_BOMB: Final = 100

Entries = Iterable[tuple[str, bytes]]
"""File names, checked to be safe, and their bytes; taken one by one."""


def pack_zip(path: Path, entries: Entries) -> None:
    """Write a zip. The same entries give the same bytes, with the same zlib.

    Raises:
        OSError: It cannot be written; what was at ``path`` is untouched.
    """
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", allowZip64=False) as packed:
        for name, data in entries:
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = 3  # Unix, whose permission bits follow
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = _compression(data)
            packed.writestr(entry, data, compresslevel=_LEVEL)


def _compression(data: bytes) -> int:
    """Return how to pack: a blank mask that shrinks 200 times would be refused as a bomb."""
    packed_bytes = len(zlib.compress(data, _LEVEL))
    shrinks = packed_bytes < len(data) <= _WELL_BELOW_A_BOMB * packed_bytes
    return zipfile.ZIP_DEFLATED if shrinks else zipfile.ZIP_STORED


def pack_folder(path: Path, entries: Entries) -> None:
    """Write a folder beside ``path``, then swap it in.

    POSIX has no call that swaps two folders on every file system. The old folder moves to
    ``previous_of(path)``, the new one takes its name, the old one is removed. A crash between the
    two renames leaves nothing at ``path`` and the old folder, whole, at ``previous_of(path)``;
    ``standing(path)`` finds it there, and the next ``pack_folder`` tidies up.

    Raises:
        OSError: It cannot be written; what was at ``path`` is untouched.
    """
    staged = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        for name, data in entries:
            _write_synced(staged / name, data)
        for folder, _, _ in os.walk(staged):
            sync_folder(Path(folder))
        staged.chmod(0o755)
        _swap(staged, path)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def put_file(folder: Path, name: str, data: bytes) -> None:
    """Put a file into a folder, in place of the one of that name, whole or not at all.

    It is staged beside the folder: what a crash left inside would make the folder no bundle.

    Raises:
        OSError: It cannot be written; the folder is as it was.
    """
    folder = folder.resolve()
    with atomic_write(folder / name, staged_in=folder.parent) as file:
        file.write(data)


def _write_synced(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _swap(staged: Path, path: Path) -> None:
    previous = previous_of(path)
    if path.exists() and previous.exists():
        shutil.rmtree(previous)
    try:
        if path.exists():
            path.rename(previous)
        staged.rename(path)
    except BaseException:
        if previous.exists() and not path.exists():
            previous.rename(path)
        raise
    sync_folder(path.parent)
    shutil.rmtree(previous, ignore_errors=True)


def previous_of(path: Path) -> Path:
    """Return where the old folder lies while a new one takes its place."""
    return path.with_name(f".{path.name}.previous")


def standing(path: Path) -> Path:
    """Return the folder or file to read: ``path``, or the old folder of an interrupted swap."""
    previous = previous_of(path)
    if os.path.lexists(path) or not previous.is_dir():
        return path
    _LOG.warning("%s is missing, its writing was interrupted: reading %s", path, previous)
    return previous
