"""One suite for every source: what the pipeline may rely on."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.block import Block, BlockStatus
from stripscan.runtime.sources import FrameSource, open_source
from stripscan.runtime.station import Station

LINES, WIDTH, COUNT = 32, 64, 6
MM_PER_LINE = 0.25

Opener = Callable[[], FrameSource]


def station(**source: object) -> Station:
    camera = {"mm_per_px": 0.5, "mm_per_line": MM_PER_LINE, "name": "top-1"}
    return Station.model_validate({"name": "test", "camera": camera, "source": source})


def pictures() -> list[np.ndarray]:
    noise = np.random.default_rng(3)
    return [noise.integers(0, 256, (LINES, WIDTH), np.uint8) for _ in range(COUNT)]


def folder_settings(path: Path) -> dict[str, object]:
    for number, picture in enumerate(pictures()):
        assert cv2.imwrite(str(path / f"{number}.png"), picture)
    return {"kind": "folder", "path": path}


def video_settings(path: Path) -> dict[str, object]:
    file = path / "strip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 25, (WIDTH, LINES))
    for picture in pictures():
        writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()
    return {"kind": "video", "uri": str(file)}


def simulator_settings(_path: Path) -> dict[str, object]:
    return {
        "kind": "simulator",
        "width_px": WIDTH * 4,
        "length_m": COUNT * LINES * MM_PER_LINE / 1000,
        "block_lines": LINES,
        "defects_per_class": 0,
        "wander_px": 0.0,
    }


@pytest.fixture(params=[folder_settings, video_settings, simulator_settings])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    settings = request.param(tmp_path)
    return lambda: open_source(station(**settings))


def read(source: FrameSource) -> list[Block]:
    with source:
        return list(source.blocks())


def test_lines_are_contiguous_from_zero(opener: Opener) -> None:
    blocks = read(opener())
    assert len(blocks) == COUNT
    following = 0
    for block in blocks:
        assert block.first_line == following
        following = block.lines.stop
    assert following == COUNT * LINES


def test_positions_follow_the_lines(opener: Opener) -> None:
    blocks = read(opener())
    assert [b.along_m for b in blocks] == pytest.approx([0.008 * n for n in range(COUNT)])
    assert {(b.camera, b.mm_per_line) for b in blocks} == {("top-1", MM_PER_LINE)}
    times = [b.host_ns for b in blocks]
    assert times == sorted(times)


def test_pixels_are_8_bit_of_the_announced_width_and_locked(opener: Opener) -> None:
    with opener() as source:
        width_px = source.width_px
        for block in source.blocks():
            assert block.pixels.dtype == np.uint8
            assert block.pixels.shape == (LINES, width_px)
            assert block.status is BlockStatus.COMPLETE
            with pytest.raises(ValueError, match="read-only"):
                block.pixels[0, 0] = 1


def test_a_known_length_is_kept(opener: Opener) -> None:
    with opener() as source:
        lines = sum(b.lines.lines for b in source.blocks())
        assert source.total_lines in (None, lines)


def test_files_and_full_speed_wait_for_the_consumer(opener: Opener) -> None:
    assert not opener().live


def test_opened_again_it_gives_the_same_pixels(opener: Opener) -> None:
    for first, second in zip(read(opener()), read(opener()), strict=True):
        assert np.array_equal(first.pixels, second.pixels)


def test_another_thread_ends_it_within_a_second(opener: Opener) -> None:
    with opener() as source:
        blocks = source.blocks()
        next(blocks)
        thread = threading.Thread(target=source.stop)
        start = time.monotonic()
        thread.start()
        thread.join()
        rest = list(blocks)
        assert time.monotonic() - start < 1
    assert len(rest) <= 1


def test_a_source_stopped_before_it_is_read_gives_nothing(opener: Opener) -> None:
    with opener() as source:
        source.stop()
        assert list(source.blocks()) == []


def test_closing_twice_is_fine(opener: Opener) -> None:
    with opener() as source:
        next(source.blocks())
    source.__exit__(None, None, None)
