"""A power cut, as near as a test comes to one without cutting the power.

The writer is stopped at a random moment, between two of its system calls or within one, and both
files of the store are copied then: that is what the kernel had been given at one moment. A disk
may have less of it. What SQLite relies on is that everything given before an ``fsync`` is there;
of what was written to the log since then, any part may be missing or wrong. So each copy is also
looked at with its log cut off, or made wrong, from a random place on behind the last commit but
one, as the last may not have been acknowledged. Not tried is a disk that loses what it said it had,
and a cut while pages move from the log to the main file: they are in the log, too, until they are
safe there.

Run as a program, this file is the writer.
"""

import itertools
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from integration.children import ENVIRONMENT
from integration.runtime.test_store_faults import COIL, a_defect
from stripscan.runtime.store import Picture, Store

CUTS = 12
PICTURE = Picture(image_png=b"x" * 40_000, first_line=0, first_px=0, lines=1, width=1)
_HEADER, _FRAME = 32, 24  # https://www.sqlite.org/fileformat2.html#the_write_ahead_log


def write(path: Path) -> None:
    """Write defects for ever, so large that the log is full, and begins anew, every 90."""
    with Store.open(path) as store:
        store.start_coil(COIL)
        for number in itertools.count(1):
            with store.transaction():
                store.put_defect(a_defect(number))
                store.add_runs("a", number, np.array([[number, 0, 9]]))
                store.put_picture("a", number, PICTURE)
            print(number, flush=True)


def commits(log: bytes) -> list[int]:
    """Return where each commit of the log ends, in bytes; what is older than its salt is left."""
    if len(log) < _HEADER:
        return [0]
    page = struct.unpack(">I", log[8:12])[0]
    ends = [_HEADER]
    for start in range(_HEADER, len(log) - _FRAME - page + 1, _FRAME + page):
        _, size_after_commit, *salt = struct.unpack(">4I", log[start : start + 16])
        if struct.pack(">2I", *salt) != log[16:24]:
            break
        if size_after_commit:
            ends.append(start + _FRAME + page)
    return ends


def kept(folder: Path, main: bytes, log: bytes) -> int:
    """Return how many defects a copy has, after checking that it is sound and has no gap."""
    folder.mkdir(parents=True)
    path = folder / "line.sqlite"
    path.write_bytes(main)
    path.with_name("line.sqlite-wal").write_bytes(log)
    with Store.open(path) as store:
        assert store.recover() == ("a",)
        numbers = [defect.number for defect in store.defects("a")]
        masks = store.masks("a")
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert numbers == list(range(1, len(numbers) + 1))
    assert {n: runs.tolist() for n, runs in masks.items()} == {n: [[n, 0, 9]] for n in numbers}
    return len(numbers)


def test_a_store_that_lost_power_opens_with_all_that_was_committed(tmp_path: Path) -> None:
    path, log_path = tmp_path / "line.sqlite", tmp_path / "line.sqlite-wal"
    chance = random.Random(3)  # noqa: S311 - moments, no secrets
    acknowledged = tmp_path / "acknowledged"
    logs: list[int] = []
    command = [sys.executable, __file__, str(path)]
    with (
        acknowledged.open("wb") as out,
        subprocess.Popen(command, stdout=out, env=ENVIRONMENT) as writer,
    ):
        while not acknowledged.stat().st_size:
            assert writer.poll() is None, "the writer has ended"
            time.sleep(0.01)
        while len(logs) < CUTS or not begun_anew(logs):
            time.sleep(chance.uniform(0.0, 0.08))
            writer.send_signal(signal.SIGSTOP)
            until_stopped(writer.pid)
            main, log = path.read_bytes(), log_path.read_bytes()
            least = int(acknowledged.read_text().split()[-1])
            writer.send_signal(signal.SIGCONT)

            ends, copy = commits(log), tmp_path / f"{len(logs)}"
            assert least <= kept(copy / "whole", main, log) <= least + 1
            # Behind the last commit but one, which was acknowledged, at most one was not.
            where = chance.randrange(ends[-2] if len(ends) > 1 else ends[-1], len(log) + 1)
            rest = chance.randbytes(len(log) - where) if len(logs) % 2 else b""
            assert least - 1 <= kept(copy / "less", main, log[:where] + rest) <= least + 1
            logs.append(len(ends))
        writer.kill()


def begun_anew(logs: list[int]) -> bool:
    """Return whether the log has gone to the main file between two of the cuts."""
    return any(after < before for before, after in pairwise(logs))


def until_stopped(process: int) -> None:
    limit_s = time.monotonic() + 20
    while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < limit_s
        time.sleep(0.001)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
