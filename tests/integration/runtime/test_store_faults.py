"""Faults that are made, not imitated: a full disk, a file-size limit, a kill.

Run as a program, this file is the writer that is to be killed or limited.
"""

import itertools
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.errors import StoreError
from stripscan.runtime.store import CoilRecord, Picture, Store

COIL = CoilRecord(
    id="a",
    station="s",
    camera="c",
    surface="top",
    started_at="2025-03-01T08:00:00+00:00",
    width_px=64,
    mm_per_px=1.0,
    mm_per_line=1.0,
    bundle_name="b",
    bundle_digest="d",
    classes=NEU_CLASSES,
)


def a_defect(number: int) -> Defect:
    return Defect(
        coil="a",
        number=number,
        phase=DefectPhase.END,
        class_name="scratches",
        confidence=0.5,
        class_share={"scratches": 1.0},
        severity="minor",
        along_start_m=float(number),
        along_end_m=number + 0.001,
        across_left_mm=0.0,
        across_right_mm=9.0,
        area_mm2=9.0,
        length_mm=1.0,
        width_mm=9.0,
        edge_left_mm=0.0,
        edge_right_mm=55.0,
        first_line=number,
        last_line=number,
        first_px=0,
        last_px=8,
        area_px=9,
    )


def write_until_stopped(path: Path, limit: int | None) -> None:
    with Store.open(path) as store:
        store.start_coil(COIL)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        for number in itertools.count(1):
            with store.transaction():
                store.put_defect(a_defect(number))
                store.add_runs("a", number, np.array([[number, 0, 9]]))
            print(number, flush=True)


def writer_command(path: Path, *limit: str) -> list[str]:
    return [sys.executable, __file__, str(path), *limit]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_acknowledged_record_survives_a_kill(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "line.sqlite"
    with subprocess.Popen(writer_command(path), stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.02, 0.25))  # noqa: S311 - a moment, not a secret
        writer.send_signal(signal.SIGKILL)
        acknowledged = [int(line) for line in (first + writer.stdout.read()).splitlines()]
    assert writer.returncode == -signal.SIGKILL

    with Store.open(path, readonly=True) as store:
        kept = [d.number for d in store.defects("a")]
    assert kept[: len(acknowledged)] == acknowledged
    with Store.open(path) as store:
        assert store.recover() == ("a",)
        assert store.coil("a").status == "interrupted"
        assert [d.number for d in store.defects("a")] == kept
        assert all(store.runs("a", n).tolist() == [[n, 0, 9]] for n in kept)


def test_a_file_size_limit_ends_with_a_store_error_and_keeps_what_was_committed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "line.sqlite"
    done = subprocess.run(
        writer_command(path, "200000"), capture_output=True, text=True, check=False
    )
    acknowledged = [int(line) for line in done.stdout.splitlines()]
    assert acknowledged
    assert f"StoreError: {path} cannot be read or written: check the disk" in done.stderr
    with Store.open(path) as store:
        assert [d.number for d in store.defects("a")] == acknowledged


def test_a_full_disk_says_so_keeps_the_committed_and_goes_on_when_space_is_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "line.sqlite"
    big = Picture(image_png=b"x" * 60_000, first_line=0, first_px=0, lines=1, width=1)
    put = []
    with Store.open(path) as store:
        store.start_coil(COIL)
        # SQLite then gives the very SQLITE_FULL of a full disk.
        store._connection.exec_driver_sql("PRAGMA max_page_count = 100")
        with pytest.raises(StoreError) as caught:
            for number in range(1, 100):
                with store.transaction():
                    store.put_defect(a_defect(number))
                    store.put_picture("a", number, big)
                put.append(number)
        assert f"the disk of {path} is full: free space there" in str(caught.value)
        assert "what was committed is kept" in str(caught.value)
        assert put
        assert [d.number for d in store.defects("a")] == put

        store._connection.exec_driver_sql("PRAGMA max_page_count = 100000")
        store.put_defect(a_defect(99))
        assert [d.number for d in store.defects("a")] == [*put, 99]


if __name__ == "__main__":
    write_until_stopped(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
