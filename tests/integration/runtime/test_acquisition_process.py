"""Acquisition in a process of its own: the same blocks, and nothing hidden when it dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from integration.children import ENVIRONMENT
from integration.runtime.tapes import LINES, Tape, assert_untorn, line_of, shared_memory
from stripscan.contract.block import Block, BlockStatus
from stripscan.contract.errors import CameraLost, CameraTimeout, ConfigError
from stripscan.runtime.acquire import acquire, open_lines
from stripscan.runtime.acquisition import Acquisition
from stripscan.runtime.acquisition_process import AcquisitionProcess
from stripscan.runtime.sources import FrameSource
from stripscan.runtime.station import Station

CAMERA = {"kind": "video", "uri": "rtsp://10.0.0.7/strip"}
SIMULATOR = {
    **{"kind": "simulator", "width_px": 256, "length_m": 0.5, "block_lines": 100},
    "defects_per_class": 0,
}


def station(source: dict[str, object], **pipeline: object) -> Station:
    camera = {"name": "top-1", "mm_per_px": 0.5, "mm_per_line": 0.25}
    parts = {"name": "line 1", "camera": camera, "source": source, "pipeline": pipeline}
    return Station.model_validate(parts)


def tape(source: dict[str, object] = CAMERA, **options: object) -> AcquisitionProcess:
    pipeline = {name: options.pop(name) for name in ("queue_blocks", "overload") if name in options}
    return AcquisitionProcess(station(source, **pipeline), opener=partial(Tape, **options))


def assert_contiguous(blocks: list[Block]) -> None:
    stop = 0
    for block in blocks:
        assert block.first_line - block.dropped_before == stop
        stop = block.lines.stop


def read(source: FrameSource, chosen: Station) -> list[tuple[object, ...]]:
    with source as entered:
        return [
            (b.lines, b.along_m, b.status, b.camera, b.pixels.tobytes())
            for b in acquire(entered, chosen.pipeline).blocks()
        ]


def test_a_process_delivers_the_blocks_that_a_thread_delivers() -> None:
    threaded, apart = station(SIMULATOR), station(SIMULATOR, process=True, queue_blocks=3)
    lines = open_lines(apart)
    assert isinstance(lines, AcquisitionProcess)
    assert not isinstance(open_lines(threaded), AcquisitionProcess)
    assert isinstance(open_lines(station(CAMERA)), AcquisitionProcess)
    assert isinstance(acquire(open_lines(threaded), threaded.pipeline), Acquisition)
    assert read(lines, apart) == read(open_lines(threaded), threaded)
    assert (lines.live, lines.width_px, lines.total_lines) == (False, 256, 2000)
    lines.__exit__(None, None, None)  # a second time


def test_an_error_comes_after_the_last_block_and_keeps_its_kind() -> None:
    taken = []
    source = tape(count=30, fails=True, overload="block", queue_blocks=2)
    with pytest.raises(CameraTimeout, match="the tape says nothing"), source:
        for block in source.blocks():
            assert_untorn(block.pixels)
            taken.append(block.first_line)
    assert taken == [LINES * number for number in range(30)]
    assert source.dropped_blocks == 0
    assert source.stats == {"lines_lost": 0, "lines_played": 30 * LINES, "acquisition_deaths": 0}


def test_a_source_that_cannot_be_opened_says_why() -> None:
    with (
        pytest.raises(ConfigError, match="no room for 60 defects"),
        open_lines(station(SIMULATOR | {"defects_per_class": 10}, process=True)),
    ):
        pass


def test_what_is_dropped_is_exactly_what_is_missing_and_nothing_is_torn() -> None:
    before: Block | None = None
    taken = 0
    source = tape(count=6_000, queue_blocks=3)
    with source:
        for block in source.blocks():
            assert line_of(block.pixels[0]) == block.first_line
            for each in (before, block):  # the writer is at work all the time
                if each is not None:
                    assert_untorn(each.pixels)
            stop = before.lines.stop if before else 0
            assert block.first_line - block.dropped_before == stop
            before, taken = block, taken + 1
    assert before is not None
    assert before.lines.stop == 6_000 * LINES
    assert 0 < source.dropped_blocks == 6_000 - taken
    assert source.dropped_lines == source.dropped_blocks * LINES


def test_stop_ends_it_and_what_has_arrived_is_still_yielded() -> None:
    source = tape(overload="block", queue_blocks=2)
    with source:
        blocks = source.blocks()
        taken = [next(blocks)]
        time.sleep(0.1)
        source.stop()
        taken.extend(blocks)
    assert_contiguous(taken)
    assert len(taken) >= 3


def test_a_camera_goes_on_after_each_death_until_there_are_too_many() -> None:
    taken: list[Block] = []
    source = tape(period_s=0.005, queue_blocks=4)
    with pytest.raises(CameraLost, match=r"was killed by SIGKILL 6 times within 60 s"), source:
        alive = 0
        for block in source.blocks():
            taken.append(block)
            alive = 0 if block.lost else alive + 1
            if not block.lost:
                assert_untorn(block.pixels)
            if alive == 25:
                os.kill(source._child.pid, signal.SIGKILL)
    assert_contiguous(taken)
    gaps = [(a, b) for a, b in pairwise(taken) if b.lost]
    assert len(gaps) >= 6
    for before, gap in gaps[:5]:
        assert (gap.status, gap.lost) == (BlockStatus.LOST_LINES, (gap.lines,))
        assert gap.along_m == pytest.approx(before.lines.stop * 0.25e-3)
        passed_s = (gap.host_ns - before.host_ns) / 1e9
        assert passed_s > 0.1  # an interpreter had to start
        assert gap.lines.lines == pytest.approx(LINES / 0.005 * passed_s, rel=0.5)
    assert source.stats["acquisition_deaths"] == 6
    lost = sum(b.lines.lines for b in taken if b.lost)
    assert source.stats["lines_lost"] == lost


def test_a_camera_that_is_deaf_to_the_next_process_is_opened_once_more(tmp_path: Path) -> None:
    source, taken = tape(period_s=0.005, plays=tmp_path), []
    with source:
        for block in source.blocks():
            taken.append(block)
            if len(taken) == 20:
                os.kill(source._child.pid, signal.SIGKILL)
            if len(taken) > 20 and not block.lost:
                source.stop()
    assert_contiguous(taken)
    assert len(list(tmp_path.iterdir())) == 3
    assert source.stats["acquisition_deaths"] == 2
    assert source.stats["lines_lost"] == sum(b.lines.lines for b in taken if b.lost) > 0


def test_the_death_of_another_source_ends_the_coil() -> None:
    taken = []
    paced = SIMULATOR | {"length_m": 100.0, "pace": True, "speed_m_s": 5.0}
    source = open_lines(station(paced, process=True, queue_blocks=2))
    assert isinstance(source, AcquisitionProcess)
    with (
        pytest.raises(CameraLost, match=r"acquisition process was killed by SIGKILL\. The"),
        source,
    ):
        for block in source.blocks():
            taken.append(block)
            if len(taken) == 5:
                os.kill(source._child.pid, signal.SIGKILL)
    assert_contiguous(taken)


PARENT = """
import sys, time
from functools import partial
from integration.runtime.test_acquisition_process import tape

with tape(period_s=0.01) as source:
    for number, block in enumerate(source.blocks()):
        if number == 3:
            print(source._child.pid, flush=True)
"""


def test_nothing_is_left_when_the_daemon_is_killed() -> None:
    before = shared_memory()
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as parent:
        assert parent.stdout is not None
        child = Path("/proc") / parent.stdout.readline().strip()
        assert child.is_dir()
        parent.kill()
    wait_until(lambda: not child.exists())
    assert shared_memory() <= before


def wait_until(happened: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < limit_s
        time.sleep(0.01)
