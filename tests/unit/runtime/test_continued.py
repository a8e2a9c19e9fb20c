"""What passed while a source was started again: by the encoder, by time, never nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripscan.contract.block import Block, LineRange
from stripscan.runtime.continued import ContinuedLines

LINES, WIDTH, RATE_HZ = 100, 8, 10_000.0
MM_PER_LINE = 0.5


def block(first_line: int, at_s: float, *, count: int | None = None) -> Block:
    """Return a block whose last line came at a time."""
    return Block(
        pixels=np.ones((LINES, WIDTH), np.uint8),
        camera="top-1",
        first_line=first_line,
        along_m=first_line * MM_PER_LINE / 1000,
        mm_per_line=MM_PER_LINE,
        host_ns=round(at_s * 1e9),
        encoder_count=count,
        lost=(LineRange(start=first_line + 5, stop=first_line + 7),),
    )


def lines() -> ContinuedLines:
    return ContinuedLines(camera="top-1", width_px=WIDTH, mm_per_line=MM_PER_LINE)


def running(continued: ContinuedLines, *, counted: bool = False) -> None:
    """Let ten blocks come, the last line of the last one at 0.1 s."""
    for number in range(10):
        count = 7000 + 3 * LINES * number if counted else None
        continued.placed(block(LINES * number, 0.01 * (number + 1), count=count))


@pytest.mark.parametrize(
    ("back_s", "produced", "lost"),
    [
        (0.61, 1000, 5000),  # 0.51 s at 10 kHz, less the block that came at its end
        (0.61, 7000, 6000),  # it had told of more before it died
        (0.11, 1000, 100),  # what it had begun never came
    ],
)
def test_time_and_rate_tell_what_passed(back_s: float, produced: int, lost: int) -> None:
    continued = lines()
    running(continued)
    first = block(0, back_s)
    (gap,) = _joined(continued, first, produced=produced)
    assert gap == LineRange(start=1000, stop=1000 + lost)
    after = continued.placed(first)
    assert after.first_line == 1000 + lost
    assert after.along_m == pytest.approx((1000 + lost) * MM_PER_LINE / 1000)
    assert after.lost == (LineRange(start=1005 + lost, stop=1007 + lost),)
    assert after.dropped_before == 0
    assert continued.lost_lines == lost


def test_blocks_dropped_after_the_restart_are_dropped_and_not_lost() -> None:
    continued = lines()
    running(continued)
    late = block(300, 0.61)
    (gap,) = _joined(continued, late, produced=1000)
    assert gap.lines == 4700
    assert continued.placed(late).dropped_before == 300


@pytest.mark.parametrize(
    ("count", "lost"),
    [
        (7000 + 3 * 2900, 2000 - 100),  # 2,900 lines after line 0, of which 1,000 had come
        (5, 5000),  # the camera was switched off: time must do
        (2**40, 5000),  # no strip is so fast
    ],
)
def test_the_encoder_tells_it_better(count: int, lost: int) -> None:
    continued = lines()
    running(continued, counted=True)
    (gap,) = _joined(continued, block(0, 0.61, count=count), produced=1000)
    assert gap.lines == lost


def test_strip_after_the_end_is_lost_where_it_runs_on() -> None:
    continued = lines()
    running(continued)
    ends = [each.lines for each in continued.rest(produced=1100, host_ns=round(0.7e9))]
    assert (ends[0].start, ends[-1].stop) == (1000, 7000)
    assert not list(lines().rest(produced=0, host_ns=round(1e9)))


# Of each life: blocks that come, time until the first, lines that never came.
@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0, 3), st.integers(0, 400)), max_size=5))
def test_numbers_and_places_have_no_gap(lives: list[tuple[int, float, int]]) -> None:
    continued = lines()
    at_s, reached, produced = 0.0, LineRange(start=0, stop=0), 0
    for life, (count, away_s, unsent) in enumerate(lives):
        at_s += away_s
        for number in range(count):
            at_s += LINES / RATE_HZ
            one = block(LINES * number, at_s)
            parts = list(continued.resumed(one, produced=produced)) if life and not number else []
            for part in [*parts, continued.placed(one)]:
                assert part.first_line == reached.stop
                assert part.along_m == pytest.approx(reached.stop * MM_PER_LINE / 1000)
                assert all(
                    part.lines.start <= h.start < h.stop <= part.lines.stop for h in part.lost
                )
                reached = part.lines
        produced = count * LINES + unsent


def _joined(continued: ContinuedLines, first: Block, *, produced: int) -> list[LineRange]:
    parts = [each.lines for each in continued.resumed(first, produced=produced)]
    return [LineRange(start=parts[0].start, stop=parts[-1].stop)]
