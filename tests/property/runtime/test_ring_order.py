"""The ring between two processes: nothing changed, nothing twice, nothing lost unseen."""

import dataclasses
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stripscan.contract.block import Block, BlockStatus, LineRange
from stripscan.contract.errors import CameraError
from stripscan.runtime.ring import RingReader, RingWriter
from stripscan.runtime.ring_memory import RingHandles, RingShape

WIDTH, LINES = 8, 6


class Ring:
    """Both ends in one process."""

    def __init__(self, queue_blocks: int = 3, *, drops: bool = True) -> None:
        self.handles = RingHandles.create()
        self.shape = RingShape(
            camera="top-1", width_px=WIDTH, block_lines=LINES, queue_blocks=queue_blocks
        )
        self.dropped: list[tuple[int, int]] = []
        self.reader = RingReader(self.handles, self.shape)
        self.writer = self.another_writer(0, drops=drops)

    def another_writer(self, session: int, *, drops: bool = True) -> RingWriter:
        return RingWriter(
            self.handles,
            self.shape,
            session=session,
            drops=drops,
            on_drop=lambda count, line: self.dropped.append((count, line)),
        )

    def __enter__(self) -> "Ring":
        return self

    def __exit__(self, *_: object) -> None:
        self.handles.close()


def block(number: int, *, lines: int = LINES) -> Block:
    pixels = np.random.default_rng(number).integers(0, 256, (lines, WIDTH), np.uint8)
    return Block(
        pixels=pixels,
        camera="top-1",
        first_line=number * LINES,
        along_m=number / 3,
        mm_per_line=0.1 + number,
        host_ns=10**15 + number,
    )


def assert_same(got: Block, put: Block) -> None:
    assert np.array_equal(got.pixels, put.pixels)
    assert not got.pixels.flags.writeable
    for each in dataclasses.fields(Block):
        if each.name != "pixels":
            assert getattr(got, each.name) == getattr(put, each.name), each.name


ranges = st.lists(st.integers(0, LINES), unique=True, max_size=LINES + 1).map(
    lambda ends: tuple(
        LineRange(start=a, stop=b)
        for a, b in zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False)
    )
)
numbers = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))


@given(
    first_line=st.integers(0, 2**60),
    lines=st.integers(1, LINES),
    along_m=st.floats(0, 1e5),
    encoder_count=numbers,
    camera_ns=numbers,
    status=st.sampled_from(BlockStatus),
    lost=ranges,
    dropped_before=st.integers(0, 2**40),
)
def test_a_block_comes_out_as_it_went_in(
    first_line: int, lines: int, lost: tuple[LineRange, ...], **told: object
) -> None:
    inside = tuple(
        LineRange(start=first_line + hole.start, stop=first_line + hole.stop)
        for hole in lost
        if hole.stop <= lines
    )
    put = dataclasses.replace(block(1, lines=lines), first_line=first_line, lost=inside, **told)
    if inside == (put.lines,):
        put = dataclasses.replace(put, pixels=np.zeros_like(put.pixels))
    with Ring() as ring:
        ring.writer.put(put)
        taken = ring.reader.take()
        assert taken is not None
        assert_same(taken[1], put)
        assert ring.reader.take() is None


@settings(max_examples=200)
@given(st.integers(1, 4), st.lists(st.booleans(), max_size=60))
def test_it_is_a_queue_that_forgets_its_oldest(queue_blocks: int, steps: list[bool]) -> None:
    waiting: deque[Block] = deque()
    in_use: deque[tuple[Block, Block]] = deque(maxlen=2)
    dropped: list[Block] = []
    with Ring(queue_blocks) as ring:
        for number, puts in enumerate(steps):
            if puts:
                if len(waiting) == queue_blocks:
                    dropped.append(waiting.popleft())
                waiting.append(block(number))
                ring.writer.put(waiting[-1])
                continue
            taken = ring.reader.take()
            assert (taken is None) == (not waiting)
            assert ring.reader.waiting == max(len(waiting) - 1, 0)
            if taken is not None:
                in_use.append((taken[1], waiting.popleft()))
            for got, put in in_use:  # what is in use is never written to
                assert_same(got, put)
        assert ring.dropped == [(n + 1, b.first_line) for n, b in enumerate(dropped)]
        assert ring.reader.dropped_blocks == len(dropped)
        assert ring.reader.dropped_lines == len(dropped) * LINES


def test_lost_lines_need_no_room_whatever_their_number() -> None:
    many = LineRange(start=0, stop=10_000)
    blank = np.broadcast_to(np.uint8(0), (10_000, WIDTH))
    with Ring() as ring:
        ring.writer.put(
            dataclasses.replace(block(0), pixels=blank, lost=(many,), status=BlockStatus.LOST_LINES)
        )
        taken = ring.reader.take()
    assert taken is not None
    assert (taken[1].pixels.shape, taken[1].lost) == ((10_000, WIDTH), (many,))


@pytest.mark.parametrize("shape", [(LINES + 1, WIDTH), (LINES, WIDTH + 1)])
def test_a_picture_that_does_not_fit_is_refused(shape: tuple[int, int]) -> None:
    with Ring() as ring, pytest.raises(CameraError, match="where 8 px by at most 6 lines were"):
        ring.writer.put(dataclasses.replace(block(0), pixels=np.zeros(shape, np.uint8)))


def test_after_a_death_what_was_put_in_is_there_and_nothing_half_written() -> None:
    with Ring(queue_blocks=2) as ring:
        ring.writer.put(block(0))
        ring.writer._reserve(block(1))  # and there it dies
        assert ring.reader.produced == 2 * LINES
        ring.reader.reclaim()
        heir = ring.another_writer(1)
        for number in range(3):
            heir.put(block(number))
        taken = [ring.reader.take() for _ in range(3)]
    assert [(t[0], t[1].first_line) for t in taken if t] == [(1, LINES), (1, 2 * LINES)]


def test_one_more_block_has_room_when_the_writer_was_told_to_stop() -> None:
    with Ring(queue_blocks=1, drops=False) as ring:
        ring.writer.put(block(0))
        ring.writer.stop()
        ring.writer.put(block(1))
        first, second = ring.reader.take(), ring.reader.take()
    assert first is not None
    assert second is not None
    assert (first[1].first_line, second[1].first_line) == (0, LINES)
