"""The program as a user starts it, in a process of its own, and what it works on."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.defect import Defect
from stripscan.contract.errors import StoreError
from stripscan.runtime.store import Store

Argument = str | Path

COMMAND = (sys.executable, "-m", "stripscan.cli.main")
_PLAIN = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def run(
    *args: Argument,
    cwd: Path,
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
    file_limit: int | None = None,
    command: Sequence[str] = COMMAND,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    With ``file_limit`` no file may become larger than so many bytes, as on a disk that is full.
    """
    return subprocess.run(
        [*command, *map(str, args)],
        cwd=cwd,
        env=_environment(env),
        preexec_fn=_limit(file_limit),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start(*args: Argument, cwd: Path) -> subprocess.Popen[str]:
    """Start a command that a signal will end."""
    return subprocess.Popen(
        [*COMMAND, *map(str, args)],
        cwd=cwd,
        env=_environment(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "STRIPSCAN_DEBUG"}}
    return own | _PLAIN | dict(more or {})


def _limit(file_bytes: int | None) -> Callable[[], None] | None:
    if file_bytes is None:
        return None
    # Python ignores SIGXFSZ, so that writing fails with an error and does not kill.
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the message of a command that ended with an error, and not with a bug."""
    said = f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == code, said
    assert "error: " in done.stderr, said
    assert "Traceback" not in done.stderr, said
    return done.stderr


def fine(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a command that did what it was asked to."""
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def listing(folder: Path) -> dict[str, bytes]:
    """Return all that lies in a folder, hidden files included, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that a running command does."""
    limit_s = time.monotonic() + 60
    while not happened():
        if process.poll() is not None:
            raise AssertionError(f"it ended too early: {process.communicate()}")
        if time.monotonic() > limit_s:
            process.kill()
            raise AssertionError(f"it did not happen in 60 s: {process.communicate()}")
        time.sleep(0.02)


def ended(process: subprocess.Popen[str], timeout: float = 60) -> tuple[int, str]:
    """Return exit code and messages of a command that was told to stop."""
    try:
        _, messages = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, messages


def coverage_of(store: Path, coil: str) -> tuple[CoverageInterval, ...]:
    """Return the coverage of a coil so far; nothing while the store is being made."""
    try:
        with Store.open(store, readonly=True) as opened:
            return opened.coverage(coil)
    except StoreError:
        return ()


def defects_of(store: Path, coil: str) -> list[tuple[Defect, list[list[int]]]]:
    """Return the defects of a coil with their masks."""
    with Store.open(store, readonly=True) as opened:
        masks = opened.masks(coil)
        return [(defect, masks[defect.number].tolist()) for defect in opened.defects(coil)]


def assert_without_a_gap(intervals: Sequence[CoverageInterval], total_lines: int) -> None:
    """Check that intervals cover lines 0 up to ``total_lines``, each once."""
    at = 0
    for interval in intervals:
        assert interval.lines.start == at
        at = interval.lines.stop
    assert at == total_lines


def station(
    folder: Path,
    *,
    source: str,
    coil: str = "coil-1",
    store: str = "stripscan.db",
    pitch_mm: float = 0.5,
    bundle: str = "default",
) -> Path:
    """Write a station file and return it.

    Args:
        folder: Where it is put.
        source: The lines of its table ``source``.
        coil: Id of the coil.
        store: Path of the store.
        pitch_mm: Pitch along and across.
        bundle: Path of the bundle.
    """
    path = folder / f"{coil}.toml"
    path.write_text(
        f"""\
name = "line-1"

[camera]
mm_per_px = {pitch_mm}
mm_per_line = {pitch_mm}

[coil]
id = "{coil}"

[source]
{source}

[store]
path = "{store}"

[bundle]
path = "{bundle}"
""",
        encoding="utf-8",
    )
    return path


def simulator(**options: object) -> str:
    """Return the table of a simulator; a small strip unless options say otherwise."""
    small = {"width_px": 512, "length_m": 0.8, "defects_per_class": 1, "seed": 7}
    lines = [f"{key} = {str(value).lower()}" for key, value in (small | options).items()]
    return "\n".join(['kind = "simulator"', *lines])
