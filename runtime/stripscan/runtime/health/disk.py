"""The disk under the store: its room, its kind, and how long it takes to keep something."""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stripscan.contract.errors import StoreError
from stripscan.runtime.health.finding import Finding, Verdict
from stripscan.runtime.health.kernel_files import read

_MIN_FREE_GB: Final = 5.0
_USUAL_BAND_MS: Final = 20.0
_PAGE_BYTES: Final = 4096
_VOLATILE: Final = {"tmpfs", "ramfs"}
_REMOTE: Final = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTimes:
    """How long the disk takes until 4 KiB survive a power cut.

    Attributes:
        p50_ms: Median.
        p99_ms: What 99 % stay within; of fewer than 100 the longest.
    """

    p50_ms: float
    p99_ms: float


def space_finding(what: str, folder: Path) -> Finding:
    """Return how much room there is."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    few = free_gb < _MIN_FREE_GB
    return Finding(
        what=what,
        verdict="warn" if few else "ok",
        detail=f"{free_gb:.1f} GB free",
        remedy=f"make room: below {_MIN_FREE_GB:.0f} GB a long coil may not fit" if few else "",
    )


def filesystem_finding(root: Path, folder: Path) -> Finding:
    """Return whether a store may lie in a folder.

    SQLite's write-ahead log needs memory that processes share, which network file systems do not
    have (https://www.sqlite.org/wal.html).

    Args:
        root: Where ``proc`` is.
        folder: The store's folder.
    """
    kind = _filesystem_of(root, folder.resolve())
    verdict: Verdict = "ok"
    detail, remedy = kind or "unknown", ""
    if kind in _REMOTE:
        verdict, detail = "fail", f"{kind}: a store on another machine's disk may be damaged"
        remedy = "put store.path on a disk of this machine"
    elif kind in _VOLATILE:
        verdict, detail = "warn", f"{kind}: the store is gone after a power cut"
        remedy = "put store.path on a disk"
    return Finding(what="file system", verdict=verdict, detail=detail, remedy=remedy)


def _filesystem_of(root: Path, folder: Path) -> str:
    """Return the kind of the file system that is mounted nearest to a folder; see proc(5)."""
    nearest, kind = Path(), ""
    for line in (read(root, "proc/self/mountinfo") or "").splitlines():
        mount, _, source = line.partition(" - ")
        point = Path(mount.split()[4].replace("\\040", " "))
        if folder.is_relative_to(point) and len(point.parts) >= len(nearest.parts):
            nearest, kind = point, source.split()[0]
    return kind


def measure_commits(folder: Path, *, count: int = 50) -> CommitTimes:
    """Write 4 KiB and wait for the disk, again and again, as the store does after each band.

    Args:
        folder: Where; nothing is left there.
        count: How often.

    Raises:
        StoreError: The folder cannot be written to.
    """
    times_ms = []
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".stripscan-", buffering=0) as file:
            for _ in range(count):
                started = time.perf_counter()
                file.write(os.urandom(_PAGE_BYTES))
                os.fsync(file.fileno())
                times_ms.append((time.perf_counter() - started) * 1000)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written to: {error.strerror}") from error
    times_ms.sort()
    return CommitTimes(p50_ms=times_ms[count // 2], p99_ms=times_ms[count * 99 // 100])


def commit_finding(times: CommitTimes, band_ms: float | None) -> Finding:
    """Return whether the disk keeps up with one commit a band.

    Args:
        times: What was measured.
        band_ms: How long a band takes to pass the camera at top speed; None if unknown.
    """
    limit_ms = band_ms or _USUAL_BAND_MS
    verdict: Verdict = "ok"
    if times.p50_ms >= limit_ms:
        verdict = "warn" if band_ms is None else "fail"
    elif times.p99_ms >= limit_ms:
        verdict = "warn"
    return Finding(
        what="commits",
        verdict=verdict,
        detail=f"P50 {times.p50_ms:.2f} ms, P99 {times.p99_ms:.2f} ms, once a band of "
        f"{limit_ms:.1f} ms{'' if band_ms else ' or so'}",
        remedy=""
        if verdict == "ok"
        else "put store.path on an SSD with power-loss protection, which no other program fills",
    )
