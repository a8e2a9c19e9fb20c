"""Strip that was not seen is said to be so, line by line, and never looks clean or defective."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stripscan.contract.block import Block, LineRange
from unit.runtime.inspection_samples import (
    MM_PER_LINE,
    Found,
    block,
    blocks_of,
    inspect,
    manifest,
    metal,
    station,
)

Pixels = NDArray[np.uint8]

WIDTH = 96
SEEN = ("inspected", "")


def scratched(lines: int) -> Pixels:
    """Return metal with a bright line along all of it."""
    strip = metal(lines, WIDTH)
    strip[:, 40:50] += 100  # with the sensor's noise: no column is dead
    return strip


def run(blocks: list[Block]) -> Found:
    return inspect(blocks, WIDTH, setup=station(join_mm=0.0))


def total_m(found: Found) -> float:
    return sum(i.length_m for i in found.coverage)


def test_lines_that_were_skipped_are_dropped() -> None:
    strip = scratched(300)
    found = run([block(strip[:90], 0), block(strip[130:], 130)])
    assert found.states() == [SEEN] * 90 + [("dropped", "lost lines")] * 40 + [SEEN] * 170
    assert found.marked_lines() == set(range(90)) | set(range(130, 300))
    assert total_m(found) == pytest.approx(300 * MM_PER_LINE / 1000)


def test_what_the_machine_was_too_slow_for_is_said() -> None:
    strip = scratched(600)
    late = dataclasses.replace(block(strip[500:], 500), dropped_before=260)
    found = run([block(strip[:90], 0), late])
    assert found.states() == (
        [SEEN] * 90
        + [("dropped", "lost lines")] * 150
        + [("dropped", "the machine was slower than the line: oldest blocks dropped")] * 260
        + [SEEN] * 100
    )
    assert found.marked_lines() == set(range(90)) | set(range(500, 600))


def test_a_gap_ends_a_defect_that_could_not_be_followed() -> None:
    strip = scratched(300)
    found = run([block(strip[:90], 0), block(strip[130:], 130)])
    ends = sorted((d.first_line, d.last_line) for d in found.defects.values())
    assert ends == [(0, 89), (130, 299)]


def test_the_head_may_be_missing() -> None:
    found = run([block(scratched(100), 500)])
    assert found.states() == [("dropped", "lost lines")] * 500 + [SEEN] * 100
    assert total_m(found) == pytest.approx(600 * MM_PER_LINE / 1000)
    assert found.marked_lines() == set(range(500, 600))


def test_the_model_sees_no_border_where_metal_begins() -> None:
    strip = metal(300, WIDTH)
    blank = np.zeros((30, WIDTH), np.uint8)
    found = run(
        [
            block(strip[50:100], 50),
            block(blank, 100),
            block(strip[130:200], 130),
            block(blank, 200, lost=(LineRange(start=200, stop=230),)),
            block(strip[230:], 230),
        ]
    )
    assert [s for s, _ in found.states()].count("inspected") == 190
    assert found.defects == {}


def test_the_encoder_tells_how_long_a_gap_is() -> None:
    strip = scratched(200)
    found = run([block(strip[:100], 0), block(strip[100:], 140, along_m=0.080)])
    dropped = [i for i in found.coverage if i.status == "dropped"]
    assert dropped[0].along_start_m == pytest.approx(0.025)
    assert dropped[-1].along_end_m == pytest.approx(0.080)
    assert total_m(found) == pytest.approx(0.080 + 0.025)


@pytest.mark.parametrize("halo_px", [0, 8])
def test_an_encoder_that_corrects_itself_leaves_no_gap(halo_px: int) -> None:
    strip = scratched(256)
    found = inspect(
        [block(strip[:128], 0), block(strip[128:], 128, along_m=0.0325)],
        WIDTH,
        setup=station(halo_px=halo_px),
    )
    assert found.states() == [SEEN] * 256
    assert total_m(found) == pytest.approx(0.0325 + 0.032)


def test_lines_that_the_source_lost_are_unknown() -> None:
    strip = scratched(200)
    lost = (LineRange(start=150, stop=160), LineRange(start=120, stop=125))
    found = run([block(strip[:100], 0), block(strip[100:], 100, lost=lost)])
    states = [SEEN] * 200
    for hole in lost:
        states[hole.start : hole.stop] = [("unknown", "lost lines")] * hole.lines
    assert found.states() == states
    assert found.marked_lines() == set(range(200)) - {*range(150, 160), *range(120, 125)}


def test_a_block_lost_as_a_whole_is_lost_and_not_dark() -> None:
    blank = np.zeros((50, WIDTH), np.uint8)
    lost = (LineRange(start=100, stop=150),)
    strip = scratched(100)
    found = run([block(strip, 0), block(blank, 100, lost=lost), block(strip[:60], 150)])
    assert found.states() == [SEEN] * 100 + [("unknown", "lost lines")] * 50 + [SEEN] * 60


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda good: np.full_like(good, 7), "dark image"),
        (lambda good: metal(len(good), WIDTH) // 8, "dark image"),
        (lambda good: np.full_like(good, 255), "overexposed image"),
        (lambda good: np.full_like(good, 128), "constant image"),
    ],
)
def test_a_picture_without_metal_is_unknown_and_has_no_defects(spoil, reason: str) -> None:
    strip = scratched(270)
    spoilt = np.asarray(spoil(strip[100:170]), np.uint8)
    found = run([block(strip[:100], 0), block(spoilt, 100), block(strip[170:], 170)])
    assert found.states() == [SEEN] * 100 + [("unknown", reason)] * 70 + [SEEN] * 100
    assert not found.marked_lines() & set(range(100, 170))


def test_a_camera_that_repeats_itself_shows_nothing_new() -> None:
    strip = scratched(80)
    found = run([block(strip, 0), block(strip.copy(), 80), block(strip.copy(), 160)])
    assert found.states() == [SEEN] * 80 + [("unknown", "repeated image")] * 160
    assert found.marked_lines() == set(range(80))


def test_a_dark_defect_does_not_make_a_picture_dark() -> None:
    strip = metal(120, WIDTH)
    strip[:, : WIDTH * 9 // 10] = 5
    assert run([block(strip, 0)]).states() == [SEEN] * 120


def test_a_block_that_comes_twice_counts_once() -> None:
    strip = scratched(200)
    parts = [block(strip[:100], 0), block(strip[100:], 100, mm_per_line=0.5, along_m=0.025)]
    once, twice = run(parts), run([parts[0], parts[0], *parts, parts[0]])
    assert twice.states() == [SEEN] * 200
    assert twice.defects == once.defects
    assert total_m(twice) == pytest.approx(0.075)


def test_blocks_that_overlap_add_only_their_new_lines() -> None:
    strip = scratched(200)
    found = run([block(strip[:120], 0), block(strip[60:160], 60), block(strip[100:], 100)])
    assert found.states() == [SEEN] * 200
    assert found.defects == run(list(blocks_of(strip))).defects


def test_lines_that_came_before_keep_their_pitch() -> None:
    strip = scratched(200)
    late = block(strip[60:], 60, along_m=0.02, mm_per_line=0.5)
    found = run([block(strip[:120], 0), late])
    assert total_m(found) == pytest.approx(0.02 + 140 * 0.0005)
    (defect,) = found.defects.values()
    assert defect.length_mm == pytest.approx(1000 * total_m(found))


def test_no_strip_at_all_is_an_empty_ledger() -> None:
    found = run([])
    assert (found.coverage, found.defects) == ([], {})


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(-60, 60), st.integers(1, 120), st.sampled_from("gggdlr")),
        min_size=1,
        max_size=12,
    )
)
def test_every_line_has_one_state_whatever_arrives(
    arrivals: list[tuple[int, int, str]],
) -> None:
    strip = scratched(3000)
    blocks, expected, last = [], [], None
    for offset, lines, kind in arrivals:
        first = max(len(expected) + offset, 0)
        pixels, lost = strip[first : first + lines], ()
        state = SEEN
        if kind == "d":
            pixels, state = np.full_like(pixels, 3), ("unknown", "dark image")
        elif kind == "l":
            lost, state = (LineRange(start=first, stop=first + lines),), ("unknown", "lost lines")
        elif kind == "r" and last is not None:
            pixels, state = last.copy(), ("unknown", "repeated image")
        if kind == "r" and last is not None and last.max() < 24:
            state = ("unknown", "dark image")
        if kind == "g" and last is not None and np.array_equal(last, pixels):
            state = ("unknown", "repeated image")
        last = pixels
        blocks.append(block(pixels, first, lost=lost))
        expected += [("dropped", "lost lines")] * (first - len(expected))
        expected += [state] * (first + len(pixels) - len(expected))
    found = inspect(blocks, WIDTH, setup=station(), model=manifest(min_area_px=20))
    assert found.states() == expected
    assert total_m(found) == pytest.approx(len(expected) * MM_PER_LINE / 1000)
    seen = {line for line, state in enumerate(expected) if state == SEEN}
    assert found.marked_lines() <= seen
