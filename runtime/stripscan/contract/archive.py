"""A folder or a zip read as a set of named files, with no trust in where it came from.

Both forms give the same files or the same refusal: names that lead elsewhere, links, devices,
and archives that unpack to far more than they are (Fifield, "A better zip bomb", 2019).
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from stripscan.contract.errors import BundleError
from stripscan.contract.paths import safe_name

MAX_ENTRIES: Final = 1000
MAX_TOTAL_BYTES: Final = 2 * 1024**3
MAX_RATIO: Final = 200
"""Most bytes that one byte of a zip may unpack to."""

_CHUNK_BYTES: Final = 1 << 20
_MAX_DIRECTORY_BYTES: Final = 1 << 20
_ENCRYPTED: Final = 0x1 | 0x40
_FOREIGN_FAULTS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)  # all that zipfile was seen to raise for damaged archives


class Archive(Protocol):
    """Named files with declared sizes."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Size in bytes by file name, as declared."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file of ``sizes``, at most as many as declared.

        Raises:
            BundleError: The file is gone, damaged, or not as long as declared.
        """


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a folder or a zip, told apart by what is there and not by the name.

    Raises:
        BundleError: There is neither, it cannot be read, or it is unsafe.
    """
    with ExitStack() as stack:
        with _foreign_faults(path):
            if path.is_dir():
                archive: Archive = _Folder(path)
            else:
                archive = _Zip(path, stack.enter_context(path.open("rb")), stack)
            _check_limits(path, archive.sizes)
        yield archive


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.sizes: dict[str, int] = {}
        folders, seen = [path], 0
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    seen += 1
                    _check_count(path, seen)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    self._add(entry)

    def _add(self, entry: os.DirEntry[str]) -> None:
        name = _checked_name(self._path, str(Path(entry.path).relative_to(self._path)))
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            self.sizes[name] = status.st_size
        elif not stat.S_ISDIR(status.st_mode):
            raise _link_error(self._path, name)

    def chunks(self, name: str) -> Iterator[bytes]:
        with _foreign_faults(self._path):
            handle = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                yield from _exactly(self._path, name, file, self.sizes[name])


class _Zip:
    def __init__(self, path: Path, file: IO[bytes], stack: ExitStack) -> None:
        self._path = path
        _check_frame(path, file)
        self._zip = stack.enter_context(zipfile.ZipFile(file))
        self.sizes: dict[str, int] = {}
        entries = self._zip.infolist()
        _check_count(path, len(entries))
        seen: set[str] = set()
        for entry in entries:
            name = _checked_name(path, entry.orig_filename.removesuffix("/"))
            if name in seen:
                raise BundleError(f"{path}: {name} occurs twice in the zip: pack it again")
            seen.add(name)
            _check_entry(path, name, entry)
            if not entry.is_dir():
                self.sizes[name] = entry.file_size
        total = sum(e.file_size for e in entries)
        if total > MAX_RATIO * path.stat().st_size:
            raise _bomb_error(path, "it", total)

    def chunks(self, name: str) -> Iterator[bytes]:
        with _foreign_faults(self._path), self._zip.open(name) as file:
            yield from _exactly(self._path, name, file, self.sizes[name])


@contextmanager
def _foreign_faults(path: Path) -> Iterator[None]:
    """Turn what the operating system and zipfile raise into a BundleError."""
    try:
        yield
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be read ({error.strerror or error}): check the path, its permissions "
            "and the disk"
        ) from error
    except _FOREIGN_FAULTS as error:
        raise BundleError(
            f"{path}: the zip is damaged or incomplete ({error}): copy the bundle again"
        ) from error


def _exactly(path: Path, name: str, file: IO[bytes], declared: int) -> Iterator[bytes]:
    left = declared
    while chunk := file.read(min(_CHUNK_BYTES, left + 1)):
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise BundleError(
            f"{path}: {name} is {'longer' if left < 0 else 'shorter'} than the {declared} bytes "
            "that it declares: it is damaged or being written; copy the bundle again"
        )


def _check_frame(path: Path, file: IO[bytes]) -> None:
    """Check the first and last bytes of a zip before zipfile takes its directory into memory.

    Layout: APPNOTE.TXT 6.3.10, 4.3.16. Comments and zip64 are refused: a bundle needs neither.
    """
    head = file.read(4)
    if head not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise BundleError(
            f"{path}: is neither a folder nor a zip: give the path of a bundle, "
            "as 'stripscan export' writes it"
        )
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 42))
    tail = file.read(42)
    record = tail[-22:]
    if len(record) < 22 or record[:4] != b"PK\x05\x06" or record[20:] != b"\0\0":
        raise BundleError(f"{path}: the end of the zip is missing: copy the bundle again")
    directory_bytes = int.from_bytes(record[12:16], "little")
    if tail[:-22].startswith(b"PK\x06\x07") or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise BundleError(
            f"{path}: the zip lists more than {MAX_ENTRIES} files or is a zip64: it is no bundle"
        )


def _check_entry(path: Path, name: str, entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise BundleError(f"{path}: {name} is encrypted: pack the bundle without a password")
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _link_error(path, name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{path}: {name} is not packed with deflate: pack the bundle with zip -r")
    if entry.is_dir() and entry.file_size:
        raise BundleError(f"{path}: {name} is a folder with content: pack the bundle again")
    if entry.file_size > MAX_RATIO * entry.compress_size:
        raise _bomb_error(path, name, entry.file_size)


def _checked_name(path: Path, name: str) -> str:
    try:
        return safe_name(name)
    except ValueError as error:
        raise BundleError(f"{path}: {error}; if you did not put it there, do not use it") from error


def _check_count(path: Path, entries: int) -> None:
    if entries > MAX_ENTRIES:
        raise BundleError(f"{path}: has more than {MAX_ENTRIES} files: it is no bundle")


def _check_limits(path: Path, sizes: Mapping[str, int]) -> None:
    if (total := sum(sizes.values())) > MAX_TOTAL_BYTES:
        raise BundleError(
            f"{path}: its files have {total} bytes, a bundle has at most {MAX_TOTAL_BYTES}"
        )


def _bomb_error(path: Path, name: str, unpacked: int) -> BundleError:
    return BundleError(
        f"{path}: {name} would unpack to {unpacked} bytes, more than {MAX_RATIO} times its size: "
        "it is no bundle; do not use it"
    )


def _link_error(path: Path, name: str) -> BundleError:
    return BundleError(
        f"{path}: {name} is a link or a device, not a file: put a copy of the file in its place"
    )
