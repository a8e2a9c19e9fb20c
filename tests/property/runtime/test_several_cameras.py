"""Any number of cameras, with any overlap and any blocks, find what one wide camera finds."""

import dataclasses
from collections.abc import Iterator
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stripscan.contract.block import Block, LineRange
from stripscan.contract.defect import Defect
from unit.runtime.inspection_samples import (
    ENGINE_RADIUS_PX,
    Found,
    blocks_of,
    inspect,
    manifest,
    metal,
    station,
)
from unit.runtime.panorama_samples import Array, Eye, states_by_camera

Pixels = NDArray[np.uint8]


@st.composite
def strips(draw: st.DrawFn) -> Pixels:
    lines, width = draw(st.integers(60, 700)), draw(st.integers(90, 260))
    strip = metal(lines, width, seed=draw(st.integers(0, 1000)))
    for _ in range(draw(st.integers(0, 6))):
        grey = draw(st.sampled_from([35, 70, 220]))
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, lines - 1))
        corner = (x + draw(st.integers(0, 120)), y + draw(st.integers(0, 200)))
        if draw(st.booleans()):
            cv2.rectangle(strip, (x, y), corner, grey, thickness=-1)
        else:
            cv2.line(strip, (x, y), corner, grey, thickness=draw(st.integers(4, 8)))
    noise = np.random.default_rng(1).integers(0, 4, strip.shape, np.uint8)
    return np.asarray(strip + noise, np.uint8)


@st.composite
def arrays(draw: st.DrawFn, strip: Pixels, *, whole: bool) -> list[Eye]:
    """Draw cameras that see all columns of a strip; all lines as well if ``whole``."""
    lines, width = strip.shape
    lefts = [0, *sorted(draw(st.sets(st.integers(8, width - 40), max_size=3)))]
    rights: list[int] = []
    for left, after in pairwise(lefts):
        low = max(after, left + 16, *(right + 1 for right in rights))
        rights.append(draw(st.integers(low, width - len(lefts) + len(rights) + 1)))
    rights.append(width)
    counts = draw(st.sampled_from([None, 1.0, 2.5]))
    eyes = []
    for number, (left, right) in enumerate(zip(lefts, rights, strict=True)):
        every = draw(st.sampled_from([3, 16, 50, 128] if number else [3, 16]))
        cuts = {*range(every, lines, every), *draw(st.lists(st.integers(1, lines), max_size=4))}
        eye = Eye(left, right, mirrored=draw(st.booleans()), cuts=tuple(cuts))
        if not whole:
            eye = dataclasses.replace(
                eye,
                late=draw(st.integers(0, 40)) if counts and number else 0,
                missing=tuple(draw(st.lists(ranges(lines), max_size=2))),
                counts_per_line=counts,
            )
        eyes.append(eye)
    return eyes


def ranges(lines: int) -> st.SearchStrategy[LineRange]:
    return st.tuples(st.integers(30, lines), st.integers(1, 60)).map(
        lambda pair: LineRange(start=pair[0], stop=pair[0] + pair[1])
    )


def by_place(found: Found) -> list[tuple[list[list[int]], Defect]]:
    both = [
        (found.runs(number).tolist(), dataclasses.replace(defect, number=0))
        for number, defect in found.defects.items()
    ]
    return sorted(both, key=lambda pair: pair[0])


def of_one_camera(strip: Pixels) -> Found:
    return inspect(
        blocks_of(strip, range(64, len(strip), 64)),
        strip.shape[1],
        setup=station(join_mm=1.5),
        model=manifest(min_area_px=1),
    )


@settings(max_examples=25)
@given(st.data())
def test_any_cameras_find_what_one_wide_camera_finds(data: st.DataObject) -> None:
    strip = data.draw(strips())
    array = Array(data.draw(arrays(strip, whole=True)))
    array.play(strip, data.draw(st.lists(st.integers(0, 3), max_size=40)))
    assert np.array_equal(array.picture(), strip)
    assert not any(block.spans for block in array.joined)
    found = array.inspect()
    several, one = by_place(found), by_place(of_one_camera(strip))
    assert [runs for runs, _ in several] == [runs for runs, _ in one]
    for (_, left), (_, right) in zip(several, one, strict=True):
        for name, value in dataclasses.asdict(left).items():
            other = getattr(right, name)
            assert value == (pytest.approx(other) if name != "phase" else other), name
    seen = states_by_camera(found)
    assert set(seen) == {lane.camera for lane in array.lanes}
    assert all(states == ["inspected"] * len(strip) for states in seen.values())


@settings(max_examples=25)
@given(st.data())
def test_what_a_camera_does_not_see_is_unknown_in_its_columns_alone(data: st.DataObject) -> None:
    strip = data.draw(strips())
    eyes = data.draw(arrays(strip, whole=False))
    array = Array(eyes)
    array.play(strip, data.draw(st.lists(st.integers(0, 3), max_size=40)))
    picture, seen = array.picture(), np.ones(strip.shape, np.bool_)
    for lane, eye in zip(array.lanes, eyes, strict=True):
        for hole in eye.blind(strip):
            seen[hole.start : hole.stop, lane.columns] = False
    # The coil begins with the first line of the earliest, and ends with the last of any.
    covered = len(picture)
    assert covered == max(
        (b.lines.stop + e.late for e in eyes for b in e.blocks(strip, "")), default=0
    )
    seen = seen[:covered]
    assert np.array_equal(picture[seen], strip[:covered][seen])
    found = array.inspect()
    states = states_by_camera(found)
    for lane in array.lanes:
        known = seen[:, lane.columns.start]
        assert [state == "inspected" for state in states.get(lane.camera, [])] == known.tolist()
    # Away from what nobody saw, each pixel is judged as by one wide camera.
    far = cv2.erode(
        seen.astype(np.uint8), np.ones((2 * ENGINE_RADIUS_PX + 1,) * 2), borderValue=1
    ).astype(np.bool_)
    one, several = (
        masks_of(of_one_camera(strip[:covered]), strip.shape),
        masks_of(found, strip.shape),
    )
    assert not several[:covered][~seen].any()
    assert np.array_equal(one[:covered][far], several[:covered][far])


def masks_of(found: Found, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.bool_)
    for number in found.defects:
        for line, start, stop in found.runs(number):
            mask[line, start:stop] = True
    return mask


@settings(max_examples=40)
@given(st.data())
def test_what_counts_as_inspected_was_seen_whatever_happens(data: st.DataObject) -> None:
    strip = metal(data.draw(st.integers(200, 900)), 120)
    eyes = [
        Eye(0, 50, cuts=every(data, strip), counts_per_line=2.0),
        Eye(40, 90, cuts=every(data, strip), counts_per_line=2.0, mirrored=True),
        Eye(85, 120, cuts=every(data, strip), counts_per_line=2.0),
    ]
    array = Array(eyes, live=True)
    late = {n: 1_000_000 * data.draw(st.integers(0, 120)) for n in range(3)}
    events = [
        (block.host_ns + late[number], number, block)
        for number, eye in enumerate(eyes)
        for block in interrupted(data, list(eye.blocks(strip, f"c{number}")))
    ]
    at_ns = 0
    for came_ns, number, block in sorted(events, key=lambda event: event[:2]):
        array.joiner.waited((came_ns - at_ns) / 1e9 * data.draw(st.sampled_from([1, 20])))
        at_ns = came_ns
        array.push(number, dataclasses.replace(block, host_ns=came_ns))
    for number in range(3):
        array.end(number)
    if not array.joined:
        return
    picture = array.picture()
    states = states_by_camera(array.inspect())
    assert len({len(told) for told in states.values()}) == 1
    for lane in array.lanes:
        seen = np.asarray([state == "inspected" for state in states[lane.camera]])[: len(strip)]
        ours, true = picture[: len(strip), lane.columns], strip[: len(picture), lane.columns]
        assert np.array_equal(ours[seen], true[seen])


def every(data: st.DataObject, strip: Pixels) -> tuple[int, ...]:
    return tuple(range(0, len(strip), data.draw(st.sampled_from([8, 25, 60]))))


def interrupted(data: st.DataObject, blocks: list[Block]) -> Iterator[Block]:
    """Yield blocks of a camera that is away for a while, and guesses how many lines it missed."""
    gone = data.draw(st.integers(3, len(blocks)))
    back = gone + data.draw(st.integers(0, 10))
    guess = data.draw(st.integers(1, 300))
    yield from blocks[:gone]
    if gone < back <= len(blocks):
        first = blocks[gone].first_line
        yield dataclasses.replace(
            blocks[gone],
            pixels=np.zeros((guess, blocks[gone].pixels.shape[1]), np.uint8),
            lost=(LineRange(start=first, stop=first + guess),),
            encoder_count=None,
        )
        moved = first + guess - (blocks[back].first_line if back < len(blocks) else 0)
        for block in blocks[back:]:
            yield dataclasses.replace(block, first_line=block.first_line + moved)
    else:
        yield from blocks[gone:]
