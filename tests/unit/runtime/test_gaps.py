"""What the encoder and the clock say of strip that a camera did not see."""

import sys

import numpy as np
import pytest

from stripscan.contract.errors import MissingPartError
from stripscan.runtime.sources.aravis import find_cameras
from stripscan.runtime.sources.gaps import FrameMark, GapMeter, lost_rows

S = 1_000_000_000


def frame(seconds: float, frame_id: int, count: int | None = None) -> FrameMark:
    return FrameMark(lines=100, host_ns=round(seconds * S), frame_id=frame_id, encoder_count=count)


def test_the_encoder_tells_how_much_strip_passed_while_the_camera_was_away() -> None:
    meter = GapMeter(None)
    meter.lines_before(frame(0.0, 1, 5000))
    meter.lines_before(frame(0.1, 2, 5400))  # four counts a line, 1000 lines a second
    meter.interrupt()
    assert meter.passed(5 * S) == 0  # the strip may have stopped: the encoder will tell
    assert meter.lines_before(frame(10.0, 1, 9400)) == 900  # 10 s would be 9,800 lines


def test_without_an_end_of_the_gap_the_clock_must_do() -> None:
    meter = GapMeter(None)
    meter.lines_before(frame(0.0, 1, 5000))
    meter.lines_before(frame(0.1, 2, 5400))
    meter.interrupt()
    assert meter.passed(round(2.1 * S), final=True) == 2000


def test_an_encoder_that_began_anew_leaves_it_to_the_clock() -> None:
    meter = GapMeter(None)
    meter.lines_before(frame(0.0, 1, 5000))
    meter.lines_before(frame(0.1, 2, 5400))
    meter.interrupt()
    assert meter.lines_before(frame(2.1, 1, 12)) == 1900


def test_a_count_of_frames_that_begins_anew_is_no_wrap() -> None:
    meter = GapMeter(1000.0)
    meter.lines_before(frame(0.0, 500))
    assert meter.lines_before(frame(0.5, 1)) == 400


def test_the_rate_of_lines_follows_the_strip() -> None:
    meter = GapMeter(None)
    for number in range(31):  # 2000 lines a second
        meter.lines_before(frame(number * 0.05, number + 1))
    for number in range(1, 31):  # 500 lines a second
        meter.lines_before(frame(1.5 + number * 0.2, number + 31))
    meter.interrupt()
    assert meter.passed(round(9.5 * S)) == pytest.approx(1000, abs=1)


def test_an_incomplete_block_without_packets_is_lost_as_a_whole() -> None:
    assert lost_rows(np.ones(40, np.uint8), row_bytes=4, packet_bytes=None) == ((0, 10),)


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(MissingPartError, match=r"apt-get install gir1.2-aravis-0.8 .*camera"):
        find_cameras()
