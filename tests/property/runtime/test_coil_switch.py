"""Every line belongs to exactly one coil, or to none, however blocks and changes fall together."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripscan.contract.block import Block, BlockStatus, LineRange
from stripscan.runtime.coil_switch import (
    PATIENCE_NS,
    ChangeOrder,
    CoilChange,
    CoilSwitch,
    PlannedCoil,
)
from unit.runtime.inspection_samples import MM_PER_LINE, block

MS = 1_000_000


def numbered(first: int, stop: int, **more: object) -> Block:
    """Return a block whose pixels are the numbers of its lines, modulo 251."""
    column = (np.arange(first, stop) % 251).astype(np.uint8)[:, None]
    return block(column, first, **more)


def order(at_ms: float, coil: str | None) -> ChangeOrder:
    return ChangeOrder(at_ns=int(at_ms * MS), coil=PlannedCoil(id=coil) if coil else None)


@dataclass(frozen=True)
class Passage:
    """Blocks that came, some lost on the way, and when changes were ordered."""

    blocks: list[Block]
    orders: list[ChangeOrder]


@st.composite
def passages(draw: st.DrawFn) -> Passage:
    cuts = draw(st.lists(st.integers(1, 399), max_size=8, unique=True))
    bounds = [0, *sorted(cuts), 400]
    lost = draw(st.lists(st.tuples(st.integers(0, 399), st.integers(1, 40)), max_size=3))
    blocks, now_ms = [], 0
    for start, stop in pairwise(bounds):
        now_ms += draw(st.integers(1, 30))
        holes = [(max(a, start), min(a + n, stop)) for a, n in lost]
        kept = tuple(LineRange(start=a, stop=b) for a, b in holes if a < b)
        blocks.append(numbered(start, stop, host_ns=now_ms * MS, lost=kept))
    dropped = draw(st.sets(st.integers(0, len(blocks) - 2), max_size=2)) if blocks[1:] else set()
    times = sorted(draw(st.lists(st.integers(0, now_ms), max_size=5)))
    names = [draw(st.sampled_from(["", f"c{n}"])) for n in range(len(times))]
    return Passage(
        blocks=[b for n, b in enumerate(blocks) if n not in dropped],
        orders=[order(at, name or None) for at, name in zip(times, names, strict=True)],
    )


def passed(passage: Passage) -> list[Block | CoilChange]:
    """Do as the main loop does: each order comes before the next block that is ready after it."""
    switch, waiting, steps = CoilSwitch(), list(passage.orders), []
    for each in passage.blocks:
        while waiting and waiting[0].at_ns <= each.host_ns:
            switch.order(waiting.pop(0))
        steps.extend(switch.cut(each))
    steps.extend(switch.settle_all())
    return steps


@given(passages())
def test_no_line_is_lost_or_given_twice(passage: Passage) -> None:
    head = head_m = 0.0
    seen: list[int] = []
    holes: set[int] = set()
    changes = []
    for step in passed(passage):
        if isinstance(step, CoilChange):
            changes.append(step.coil)
            assert (step.passed_lines, step.line >= head) == (step.line - head, True)
            head, head_m = step.line, head_m + step.passed_m
            assert head_m * 1000 == pytest.approx(head * MM_PER_LINE)
            continue
        lines = range(int(head) + step.first_line, int(head) + step.lines.stop)
        assert step.pixels[:, 0].tolist() == [line % 251 for line in lines]
        assert step.along_m == pytest.approx(step.first_line * MM_PER_LINE / 1000)
        assert step.first_line >= 0
        for hole in step.lost:
            assert step.lines.start <= hole.start < hole.stop <= step.lines.stop
            holes |= {int(head) + n for n in range(hole.start, hole.stop)}
        seen += lines
    assert seen == [n for b in passage.blocks for n in range(b.first_line, b.lines.stop)]
    assert holes == {
        n for b in passage.blocks for hole in b.lost for n in range(hole.start, hole.stop)
    }
    assert changes == [each.coil for each in passage.orders]


@given(passages())
def test_a_change_is_in_the_block_of_its_moment(passage: Passage) -> None:
    ready = {b.lines.stop: b.host_ns for b in passage.blocks}
    lines = [step.line for step in passed(passage) if isinstance(step, CoilChange)]
    for at_ns, line in zip((o.at_ns for o in passage.orders), lines, strict=True):
        before = max((stop for stop, ns in ready.items() if ns < at_ns), default=0)
        after = min((stop for stop, ns in ready.items() if ns >= at_ns), default=400)
        assert before <= line <= after


def test_the_cut_is_at_the_line_that_passed_then() -> None:
    switch = CoilSwitch()
    (first,) = switch.cut(numbered(0, 100, host_ns=1000 * MS))
    assert first.first_line == 0
    switch.order(order(1025, "b"))
    lost = (LineRange(start=120, stop=130),)
    whole = numbered(100, 200, host_ns=1100 * MS, lost=lost)
    tail, change, head = switch.cut(whole)
    assert isinstance(change, CoilChange)
    assert (change.line, change.passed_lines, change.passed_m) == (125, 125, 125 * 0.25 / 1000)
    assert isinstance(tail, Block)
    assert isinstance(head, Block)
    assert (tail.lines, tail.lost) == (
        LineRange(start=100, stop=125),
        (LineRange(start=120, stop=125),),
    )
    assert (head.lines, head.lost) == (LineRange(start=0, stop=75), (LineRange(start=0, stop=5),))
    assert (head.along_m, head.status) == (0, BlockStatus.LOST_LINES)
    (later,) = switch.cut(numbered(200, 250, host_ns=1150 * MS))
    assert isinstance(later, Block)
    assert (later.first_line, later.along_m) == (75, pytest.approx(75 * 0.25 / 1000))


def test_a_change_while_no_new_strip_came_is_at_the_furthest_point() -> None:
    switch = CoilSwitch()
    list(switch.cut(numbered(0, 100, host_ns=1000 * MS)))
    switch.order(order(1500, "b"))
    switch.order(order(2050, "c"))
    (change,) = switch.rest(2000 * MS)
    assert (change.line, change.coil) == (100, PlannedCoil(id="b"))
    _, later, _ = switch.cut(numbered(100, 200, host_ns=2100 * MS))
    assert isinstance(later, CoilChange)
    assert later.line == 150  # the block was filled from 2000 ms on


def test_a_strip_that_stands_still_does_not_hold_a_change_up() -> None:
    switch = CoilSwitch()
    list(switch.cut(numbered(0, 100, host_ns=1000 * MS)))
    switch.order(order(1500, None))
    assert list(switch.settle(1500 * MS + PATIENCE_NS - 1)) == []
    (change,) = switch.settle(1500 * MS + PATIENCE_NS)
    assert (change.line, change.coil) == (100, None)
    (later,) = switch.cut(numbered(100, 200, host_ns=90_000 * MS))
    assert isinstance(later, Block)
    assert later.first_line == 0


def test_lines_that_came_before_are_left_out() -> None:
    switch = CoilSwitch()
    list(switch.cut(numbered(0, 100, host_ns=1000 * MS)))
    assert list(switch.cut(numbered(50, 100, host_ns=1050 * MS))) == []
    (new,) = switch.cut(numbered(80, 120, host_ns=1100 * MS))
    assert isinstance(new, Block)
    assert (new.lines, new.along_m) == (LineRange(start=100, stop=120), pytest.approx(0.025))
