import threading
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.contract.errors import CameraLost, CameraTimeout
from stripscan.runtime.sources.frames import FrameBuffer


def picture(grey: int) -> NDArray[np.uint8]:
    return np.full((2, 3), grey, np.uint8)


def grey_of(buffer: FrameBuffer) -> tuple[int, int]:
    frame = buffer.take(1)
    assert frame is not None
    return int(frame.pixels[0, 0]), frame.dropped_before


def test_a_late_taker_gets_the_newest_frames_and_the_count_of_the_missing() -> None:
    buffer = FrameBuffer(name="camera 1", depth=2, drop=True)
    for grey in range(6):
        assert buffer.put(picture(grey))
    assert [grey_of(buffer), grey_of(buffer)] == [(4, 4), (5, 0)]
    buffer.put(picture(6))
    assert grey_of(buffer) == (6, 0)


def test_a_reader_that_must_not_drop_waits() -> None:
    buffer = FrameBuffer(name="camera 1", depth=1, drop=False)
    reader = threading.Thread(target=lambda: [buffer.put(picture(g)) for g in range(5)])
    reader.start()
    assert [grey_of(buffer) for _ in range(5)] == [(g, 0) for g in range(5)]
    reader.join(1)
    assert not reader.is_alive()


def test_a_waiting_reader_is_let_go() -> None:
    buffer = FrameBuffer(name="camera 1", depth=1, drop=False)
    buffer.put(picture(0))
    answers: list[bool] = []
    reader = threading.Thread(target=lambda: answers.append(buffer.put(picture(1))))
    reader.start()
    buffer.close()
    reader.join(1)
    assert answers == [False]


def test_an_error_comes_after_the_frames_before_it() -> None:
    buffer = FrameBuffer(name="camera 1", depth=2, drop=False)
    buffer.put(picture(7))
    buffer.finish(CameraLost("unplugged"))
    assert grey_of(buffer) == (7, 0)
    with pytest.raises(CameraLost, match="unplugged"):
        buffer.take(1)


def test_silence_is_a_timeout_and_no_end() -> None:
    buffer = FrameBuffer(name="camera 1", depth=2, drop=True)
    with pytest.raises(CameraTimeout, match=r"camera 1 gave no frame for 0\.02 s"):
        buffer.take(0.02)
    buffer.put(picture(1))
    assert grey_of(buffer) == (1, 0)


def test_closing_ends_a_wait_without_a_limit() -> None:
    buffer = FrameBuffer(name="camera 1", depth=2, drop=True)
    threading.Timer(0.05, buffer.close).start()
    start = time.monotonic()
    assert buffer.take(None) is None
    assert time.monotonic() - start < 1
