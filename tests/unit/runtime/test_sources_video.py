import functools
import http.server
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.block import Block, BlockStatus
from stripscan.contract.errors import CameraError, CameraLost, CameraTimeout, ConfigError
from stripscan.runtime.sources.video import VideoFrames
from stripscan.runtime.station import CameraSection
from stripscan.runtime.station_sources import VideoSource

CAMERA = CameraSection(mm_per_px=0.5, mm_per_line=0.25)
LINES, WIDTH = 48, 64


def write_video(path: Path, greys: list[int]) -> Path:
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (WIDTH, LINES), isColor=True
    )
    assert writer.isOpened()
    for grey in greys:
        rows = np.linspace(grey, grey + 40, LINES).astype(np.uint8)
        writer.write(np.repeat(np.repeat(rows[:, None, None], WIDTH, 1), 3, 2))
    writer.release()
    return path


def frames(uri: Path | str, **options: object) -> VideoFrames:
    section = VideoSource.model_validate({"kind": "video", "uri": str(uri), **options})
    return VideoFrames(section, CAMERA)


def test_a_file_ends_cleanly_after_its_last_frame(tmp_path: Path) -> None:
    with frames(write_video(tmp_path / "a.avi", [10, 90, 170])) as source:
        blocks = list(source.blocks())
    assert [b.first_line for b in blocks] == [0, 48, 96]
    assert [b.pixels.shape for b in blocks] == [(LINES, WIDTH)] * 3
    tops = [float(b.pixels[:4].mean()) for b in blocks]
    assert np.allclose(tops, [11, 91, 171], atol=4)


def test_only_the_new_lines_of_overlapping_frames_count(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", [10, 90])
    with frames(path) as source:
        whole = [b.pixels for b in source.blocks()]
    with frames(path, frame_step_lines=20) as source:
        first, second = source.blocks()
    assert first.pixels.shape[0] == LINES
    assert (second.first_line, second.pixels.shape[0]) == (LINES, 20)
    assert np.array_equal(second.pixels, whole[1][-20:])


def test_a_step_beyond_the_frame_is_refused_with_its_height(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", [10])
    with pytest.raises(ConfigError, match="from 1 to 48"), frames(path, frame_step_lines=49):
        pass


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"no such video file: .*gone\.avi"):
        frames(tmp_path / "gone.avi").__enter__()


def test_a_file_that_is_no_video_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    path.write_text("no video")
    with pytest.raises(CameraError, match=r"cannot open .*a\.avi"):
        frames(path).__enter__()


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(CameraError, match="cannot open /dev/video97"):
        frames("/dev/video97").__enter__()


def test_a_torn_file_says_how_much_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (WIDTH, LINES))
    noise = np.random.default_rng(1)
    for _ in range(20):
        writer.write(noise.integers(0, 256, (LINES, WIDTH, 3), np.uint8))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with caplog.at_level(logging.WARNING), frames(path) as source:
        count = len(list(source.blocks()))
    assert 0 < count < 20
    assert f"ended after {count} of 20 frames" in caplog.text


@pytest.fixture
def mute_server() -> Iterator[str]:
    """Give the address of a server that accepts a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"rtsp://user:secret@127.0.0.1:{server.getsockname()[1]}/strip"


def test_a_silent_stream_times_out_and_shows_no_password(mute_server: str) -> None:
    start = time.monotonic()
    with pytest.raises(CameraError) as caught:
        frames(mute_server, timeout_s=0.3).__enter__()
    assert time.monotonic() - start < 3
    assert isinstance(caught.value, CameraTimeout) or "cannot open" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_stopping_before_the_first_frame_ends_the_opening(tmp_path: Path) -> None:
    source = frames(write_video(tmp_path / "a.avi", [10]))
    source.stop()
    with pytest.raises(CameraError, match="stopped before its first frame"):
        source.__enter__()


def test_a_video_of_one_frame_is_one_whole_block(tmp_path: Path) -> None:
    with frames(write_video(tmp_path / "a.avi", [10])) as source:
        (block,) = source.blocks()
    assert block.status is BlockStatus.COMPLETE


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Keep requests out of the test's output."""


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[str]:
    """Give the address of a network stream of 20 frames that then ends."""
    write_video(tmp_path / "live.avi", [10 * n for n in range(20)])
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/live.avi"
        server.shutdown()
        thread.join()


def test_a_stream_that_ends_is_lost_and_what_nobody_took_is_accounted_for(stream: str) -> None:
    blocks: list[Block] = []
    with frames(stream) as source:
        assert source.live
        time.sleep(0.5)
        with pytest.raises(CameraLost, match="ended after 20 frames"):
            for block in source.blocks():
                blocks.append(block)  # noqa: PERF402 - the blocks before the error count
    head = round((float(blocks[0].pixels[:4].mean()) - 1) / 10)
    assert [b.first_line for b in blocks] == [LINES * n for n in range(20 - head)]
    for number, block in enumerate(blocks, start=head):
        if block.status is BlockStatus.LOST_LINES:
            assert block.lost == (block.lines,)
        else:
            assert float(block.pixels[:4].mean()) == pytest.approx(10 * number + 1, abs=4)
    assert blocks[-1].status is BlockStatus.COMPLETE
