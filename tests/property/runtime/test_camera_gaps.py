"""Whatever a camera does not deliver, no line is overlooked and none is counted twice."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stripscan.runtime.sources.gaps import FrameMark, GapMeter, lost_rows

LINES = 16
HEADERS_BYTES = 36
MS = 1_000_000


@given(
    row_bytes=st.integers(1, 4000),
    rows=st.integers(1, 40),
    packet_bytes=st.integers(220, 9000),
    dropped=st.sets(st.integers(0, 200)),
)
def test_rows_of_dropped_packets_are_lost_and_no_others(
    row_bytes: int, rows: int, packet_bytes: int, dropped: set[int]
) -> None:
    data = np.full(rows * row_bytes, 7, np.uint8)
    hit: set[int] = set()
    payload = packet_bytes - HEADERS_BYTES
    for number, start in enumerate(range(0, data.size, payload)):
        if number in dropped:
            stop = min(start + payload, data.size)
            data[start:stop] = 0
            hit |= set(range(start // row_bytes, (stop - 1) // row_bytes + 1))
    ranges = lost_rows(data, row_bytes=row_bytes, packet_bytes=packet_bytes)
    assert {row for start, stop in ranges for row in range(start, stop)} == hit
    assert all(a[1] < b[0] for a, b in pairwise(ranges))


@given(
    first=st.integers(1, 65_535),
    wide=st.booleans(),
    fate=st.lists(st.sampled_from(["whole", "whole", "nameless", "missing"]), max_size=60),
)
def test_delivered_and_missing_frames_are_all_frames(
    first: int, wide: bool, fate: list[str]
) -> None:
    meter, counted, last = GapMeter(None), 0, -1
    for number, what in enumerate(["whole", *fate, "whole"]):
        if what == "missing":
            continue
        identity = first + number if wide else (first + number - 1) % 65_535 + 1
        frame = FrameMark(
            lines=LINES,
            host_ns=number * 10 * MS,
            frame_id=None if what == "nameless" else identity,
        )
        counted += meter.lines_before(frame) + LINES
        last = number
        assert counted <= (last + 1) * LINES
    assert counted == (last + 1) * LINES


@given(
    rate_hz=st.integers(500, 60_000),
    away_ms=st.integers(0, 30_000),
    asked_ms=st.lists(st.integers(0, 30_000), max_size=5),
)
def test_strip_that_passed_while_a_camera_was_away_is_counted_once(
    rate_hz: int, away_ms: int, asked_ms: list[int]
) -> None:
    meter, block_ns = GapMeter(float(rate_hz)), round(LINES * 1e9 / rate_hz)
    for number in range(3):
        mark = FrameMark(lines=LINES, host_ns=number * block_ns, frame_id=number + 1)
        assert meter.lines_before(mark) == 0
    gone_ns = 2 * block_ns
    meter.interrupt()
    asked = sorted(ms for ms in asked_ms if ms <= away_ms)
    counted = sum(meter.passed(gone_ns + ms * MS) for ms in asked)
    back_ns = gone_ns + away_ms * MS + block_ns
    counted += meter.lines_before(FrameMark(lines=LINES, host_ns=back_ns, frame_id=1))
    passed = rate_hz * away_ms / 1000
    assert max(passed, LINES) - 1.5 <= counted <= max(passed, LINES) + 1.5
    following = FrameMark(lines=LINES, host_ns=back_ns + block_ns, frame_id=2)
    assert meter.lines_before(following) == 0
