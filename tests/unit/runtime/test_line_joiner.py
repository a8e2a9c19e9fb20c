"""Cameras that come late, go, lag and come back: their lines lie where the others' do."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from stripscan.contract.block import Block, BlockStatus, LineRange
from stripscan.contract.defect import Defect
from unit.runtime.inspection_samples import MM_PER_LINE, metal
from unit.runtime.panorama_samples import Array, Eye, Pixels, states_by_camera

LINES, WIDTH, SEAM = 1200, 160, 80
CUTS = tuple(range(40, LINES, 40))
GONE = LineRange(start=400, stop=640)
LEFT = Eye(0, 90, cuts=CUTS)
RIGHT = Eye(70, WIDTH, cuts=CUTS)


def strip() -> Pixels:
    """Return metal with spots left and right all along, and one over the seam."""
    pixels = metal(LINES, WIDTH)
    for first in range(20, LINES, 100):
        pixels[first : first + 12, 20:30] = 20
        pixels[first : first + 12, 120:130] = 20
    pixels[900:940, SEAM - 15 : SEAM + 15] = 20
    return pixels


def back_after(blocks: Iterator[Block], *, guess: int) -> Iterator[Block]:
    """Yield blocks of a camera that was away and believes that so many lines passed meanwhile."""
    moved = 0
    for block in blocks:
        if GONE.start <= block.first_line < GONE.stop:
            if block.first_line == GONE.start:
                lost = LineRange(start=GONE.start, stop=GONE.start + guess)
                yield dataclasses.replace(
                    block,
                    pixels=np.zeros((guess, block.pixels.shape[1]), np.uint8),
                    status=BlockStatus.LOST_LINES,
                    lost=(lost,),
                    encoder_count=None,
                )
                moved = guess - GONE.lines
            continue
        yield dataclasses.replace(block, first_line=block.first_line + moved)


def play_away(array: Array, *, guess: int) -> None:
    """Play two live cameras, of which the second is away for a while."""
    pixels = strip()
    away = back_after(array.eyes[1].blocks(pixels, "c1"), guess=guess)
    events = [(block.host_ns, 0, block) for block in away]
    events += [(block.host_ns, 1, block) for block in array.eyes[0].blocks(pixels, "c0")]
    for _, order, block in sorted(events, key=lambda event: event[:2]):
        array.push(1 - order, block)
    array.end(0)
    array.end(1)


def overlap(defects: list[Defect], first: int, stop: int) -> list[Defect]:
    return [d for d in defects if d.first_line < stop and d.last_line >= first]


@pytest.mark.parametrize("guess", [40, 240, 5000])
@pytest.mark.parametrize("counts", [2.0, None])
def test_a_camera_that_was_away_is_joined_again_at_the_right_line(
    guess: int, counts: float | None
) -> None:
    eyes = [dataclasses.replace(eye, counts_per_line=counts) for eye in (LEFT, RIGHT)]
    array = Array(eyes, live=True)
    play_away(array, guess=guess)
    picture = array.picture()
    assert np.array_equal(picture[:, :SEAM], strip()[:, :SEAM])
    assert np.array_equal(picture[: GONE.start, SEAM:], strip()[: GONE.start, SEAM:])
    assert np.array_equal(picture[GONE.stop :, SEAM:], strip()[GONE.stop :, SEAM:])
    found = array.inspect()
    states = states_by_camera(found)
    assert states["c0"] == ["inspected"] * LINES
    assert [s == "unknown" for s in states["c1"]] == [
        GONE.start <= line < GONE.stop for line in range(LINES)
    ]
    defects = list(found.defects.values())
    assert len([d for d in defects if d.last_px < SEAM]) == 12
    right = [d for d in defects if d.first_px >= SEAM]
    assert [d.first_line for d in right] == [19, 119, 219, 319, 719, 819, 919, 1019, 1119]
    (over,) = [d for d in defects if d.first_px < SEAM <= d.last_px]
    assert (over.first_line, over.last_line, over.width_mm) == (899, 940, 16.0)


def test_a_camera_that_is_silent_is_given_up_and_taken_back() -> None:
    array = Array([LEFT, RIGHT], live=True)
    pixels = strip()
    left, right = (list(eye.blocks(pixels, "c")) for eye in array.eyes)
    for number in range(10):
        array.push(0, left[number])
        array.push(1, right[number])
    for number in range(10, 14):
        array.push(0, left[number])
    assert array.joined[-1].lines.stop == 400  # it is waited for
    array.joiner.waited(0.5)
    assert not array.joiner.silent
    array.joiner.waited(1.0)
    assert array.joiner.silent == ("c1",)
    array.push(0, left[14])
    assert array.joined[-1].lines.stop == 600  # and not any more
    array.push(1, right[10])  # it comes too late for these lines, but comes
    for number in range(15, 30):
        array.push(1, right[number])
        array.push(0, left[number])
    assert not array.joiner.silent
    array.end(1)
    array.end(0)
    states = states_by_camera(array.inspect())
    assert [s == "inspected" for s in states["c1"]] == [not 400 <= n < 600 for n in range(LINES)]
    assert sum(block.lost_lines for block in array.joined) == 200


def test_nothing_grows_while_a_camera_is_silent() -> None:
    array = Array([LEFT, RIGHT], live=True)
    one = next(LEFT.blocks(strip(), "c"))
    array.push(1, next(RIGHT.blocks(strip(), "c")))
    longest = 0
    for number in range(1000):
        first = number * one.lines.lines
        array.push(0, dataclasses.replace(one, first_line=first))
        array.joined = array.joined[-1:]
        waiting = first + one.lines.lines - array.joined[-1].lines.stop
        longest = max(longest, waiting)
    assert longest <= 17_000
    assert array.joiner.silent == ("c1",)


def test_cameras_of_files_wait_for_each_other() -> None:
    array = Array([LEFT, RIGHT])
    tall = dataclasses.replace(next(LEFT.blocks(strip(), "c")), pixels=metal(40_000, 90))
    array.push(0, tall)
    assert not array.joined
    array.push(1, next(RIGHT.blocks(strip(), "c")))
    array.joiner.waited(1e6)
    assert not array.joiner.silent
    assert array.joined[-1].lines.stop == 40


def test_a_camera_farther_down_the_line_sees_the_same_metal_later() -> None:
    late = 60
    pixels = strip()
    delayed = np.concatenate([metal(late, WIDTH, seed=5), pixels])
    array = Array([LEFT, dataclasses.replace(RIGHT, offset=late)])
    for block in LEFT.blocks(pixels, "c0"):
        array.push(0, block)
    for block in RIGHT.blocks(delayed, "c1"):
        array.push(1, block)
    array.end(0)
    array.end(1)
    assert np.array_equal(array.picture(), pixels)
    assert not any(block.spans for block in array.joined)


def test_a_camera_without_a_line_yet_mirrors_the_metal_beside_it() -> None:
    eyes = [
        dataclasses.replace(LEFT, counts_per_line=1.0),
        dataclasses.replace(RIGHT, counts_per_line=1.0, late=200),
    ]
    array = Array(eyes)
    array.play(strip(), [])
    picture = array.picture()
    assert np.array_equal(picture[:200, SEAM:160], picture[:200, SEAM - 1 :: -1])
    assert np.array_equal(picture[200:], strip()[200:])
    assert states_by_camera(array.inspect())["c1"] == ["unknown"] * 200 + ["inspected"] * 1000


def test_blocks_tell_metres_and_when_their_last_line_was_there() -> None:
    array = Array([LEFT, dataclasses.replace(RIGHT, cuts=(500,))])
    array.play(strip(), [])
    for block in array.joined:
        assert block.along_m == pytest.approx(block.first_line * MM_PER_LINE / 1000)
        stop = block.lines.stop
        assert block.host_ns == (500 if stop <= 500 else 1200) * 1_000_000


THREE = [Eye(0, 60, cuts=CUTS), Eye(50, 110, cuts=CUTS), Eye(100, 160, cuts=CUTS)]


def seen_by_three(*strips: Pixels) -> dict[str, list[str]]:
    """Return what three cameras know of their lines, each of its own strip or all of one."""
    array = Array(THREE)
    for number, eye in enumerate(THREE):
        for block in eye.blocks(strips[number % len(strips)], f"c{number}"):
            array.push(number, block)
        array.end(number)
    return states_by_camera(array.inspect())


def test_a_lens_that_goes_dark_is_unknown_in_its_columns_alone() -> None:
    covered = strip()
    covered[300:500] = 3
    for number in range(3):
        strips = [covered if number == n else strip() for n in range(3)]
        states = seen_by_three(*strips)
        for n in range(3):
            dark = range(300, 500) if n == number else range(0)
            assert [s == "unknown" for s in states[f"c{n}"]] == [m in dark for m in range(LINES)]


@pytest.mark.parametrize("right_px", [56, 70, 100, 104, 106, 130])
def test_a_narrow_strip_leaves_no_hole_where_a_camera_looks_past_it(right_px: int) -> None:
    pixels = strip()
    noise = np.random.default_rng(2).integers(0, 5, pixels.shape, np.uint8)
    pixels[:, :20] = noise[:, :20]
    pixels[200:, right_px:] = noise[200:, right_px:]
    assert all(told == ["inspected"] * LINES for told in seen_by_three(pixels).values())


def test_a_surface_without_any_light_is_unknown() -> None:
    dark = np.random.default_rng(2).integers(0, 5, (LINES, WIDTH), np.uint8)
    states = seen_by_three(dark)
    assert all(told == ["unknown"] * LINES for told in states.values())
