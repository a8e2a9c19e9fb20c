"""Ctrl-C and SIGTERM in the middle: exit code 4, all that was finished saved, nothing half."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from integration.cli.program import (
    Argument,
    assert_without_a_gap,
    coverage_of,
    ended,
    fine,
    listing,
    run,
    simulator,
    start,
    station,
    wait_until,
)
from stripscan.contract.coverage import CoverageStatus
from stripscan.dataset.images import read_ids
from stripscan.runtime.store import Store

LINES = 40_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_the_whole_coil_accounted_for(
    tmp_path: Path, number: signal.Signals
) -> None:
    file = station(tmp_path, source=simulator(length_m=20.0, width_px=256, speed_m_s=1, pace=True))
    store = tmp_path / "stripscan.db"
    process = start("run", file, cwd=tmp_path)
    wait_until(lambda: bool(coverage_of(store, "coil-1")), process)
    process.send_signal(number)
    code, messages = ended(process)

    assert code == 4, messages
    assert "Traceback" not in messages
    assert f"what was inspected of coil coil-1 is in {store}" in messages
    with Store.open(store, readonly=True) as opened:
        coil = opened.coil("coil-1")
        assert coil.status == "interrupted"
        assert coil.ended_at is not None
        assert all(str(defect.phase) == "end" for defect in opened.defects("coil-1"))
    covered = coverage_of(store, "coil-1")
    assert_without_a_gap(covered, LINES)
    assert covered[0].status is CoverageStatus.INSPECTED
    assert covered[-1].status is CoverageStatus.UNKNOWN
    assert covered[-1].reason == "the run was stopped before this strip arrived"
    fine(run("report", "coil-1", cwd=tmp_path))


def interrupt_while_it_reads(pipe: Path, *args: Argument, cwd: Path) -> tuple[int, str]:
    """Start a command, and press Ctrl-C while it waits for an image that never comes."""
    os.mkfifo(pipe)
    process = start(*args, cwd=cwd)
    writers: list[int] = []

    def reading() -> bool:
        try:
            writers.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody has opened the other end
            return False
        return True

    wait_until(reading, process)
    # Python looks for signals between two of its steps: one that comes right before the system
    # call that reads is seen only after it, so one presses again, as a person would.
    for _ in range(12):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
            break
    try:
        return ended(process)
    finally:
        os.close(writers[0])


def test_ctrl_c_in_predict_keeps_finished_images_and_nothing_else(
    image: Path, tmp_path: Path
) -> None:
    pipe = tmp_path / "later.png"
    code, messages = interrupt_while_it_reads(pipe, "predict", "default", image, pipe, cwd=tmp_path)
    assert (code, messages) == (4, "interrupted: what was finished is saved\n")
    assert sorted(listing(tmp_path / "predictions")) == [
        f"{image.stem}.{kind}" for kind in ("json", "mask.png", "overlay.png")
    ]
    json.loads((tmp_path / "predictions" / f"{image.stem}.json").read_text())
    assert read_ids(tmp_path / "predictions" / f"{image.stem}.mask.png").shape == (200, 512)


def test_ctrl_c_in_eval_writes_no_figures(labelled: Path, tmp_path: Path) -> None:
    data = tmp_path / "made"
    shutil.copytree(labelled, data)
    shutil.copy(next((data / "masks").iterdir()), data / "masks" / "later.png")
    ask = ("eval", "--data", data, "--json", "figures.json", "--include-seen")
    code, messages = interrupt_while_it_reads(data / "images" / "later.png", *ask, cwd=tmp_path)
    assert code == 4, messages
    assert "Traceback" not in messages
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_ctrl_c_in_simulate_leaves_no_strip(tmp_path: Path) -> None:
    process = start("simulate", "--length-m", "200", "--out", "strip", cwd=tmp_path)
    wait_until(lambda: any(tmp_path.glob(".strip.*/block_*.png")), process)
    process.send_signal(signal.SIGINT)
    code, messages = ended(process)
    assert code == 4, messages
    assert listing(tmp_path) == {}


def test_a_reader_that_goes_ends_the_command_quietly(tmp_path: Path) -> None:
    # 'doctor' prints when its reader has gone already.
    process = start("doctor", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        messages = process.stderr.read()
    try:
        code = process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert (code, messages) == (141, "")
