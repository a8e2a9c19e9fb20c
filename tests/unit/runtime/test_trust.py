"""Which lines of a block show no metal, and which columns of the camera say nothing."""

import logging
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.runtime.trust import BlockTrust
from unit.runtime.inspection_samples import block, inspect, metal

Pixels = NDArray[np.uint8]
WIDTH = 160


def doubts(strip: Pixels, *cuts: int) -> list[tuple[int, int, str]]:
    """Return the lines that cannot be trusted, the blocks joined."""
    trust, told = BlockTrust(mm_per_px=0.5), ["" for _ in strip]
    bounds = [0, *cuts, len(strip)]
    for first, stop in pairwise(bounds):
        for span in trust.spans(block(strip[first:stop], first)):
            lines = slice(span.lines.start, span.lines.stop)
            told[lines] = [span.reason] * span.lines.lines
    edges = [n for n in range(len(told)) if n == 0 or told[n] != told[n - 1]]
    runs = zip(edges, [*edges[1:], len(told)], strict=True)
    return [(start, stop, told[start]) for start, stop in runs if told[start]]


@pytest.mark.parametrize("cuts", [(), (64,), (70, 75), tuple(range(1, 200))])
@pytest.mark.parametrize(("grey", "reason"), [(3, "dark image"), (255, "overexposed image")])
def test_lines_without_metal_are_told_to_the_line(
    cuts: tuple[int, ...], grey: int, reason: str
) -> None:
    strip = metal(200, WIDTH)
    strip[61:64], strip[70:90] = grey, grey
    assert doubts(strip, *cuts) == [(61, 64, reason), (70, 90, reason)]


@pytest.mark.parametrize("cuts", [(), (105,), (108, 116)])
def test_lines_that_repeat_the_one_above_are_told(cuts: tuple[int, ...]) -> None:
    strip = metal(200, WIDTH)
    strip[101:120] = strip[100]
    strip[151:154] = strip[150]  # three may be the way that a picture was enlarged
    assert doubts(strip, *cuts) == [(101, 120, "repeated lines")]


def test_a_cut_hides_three_repeated_lines_at_most() -> None:
    strip = metal(200, WIDTH)
    strip[101:120] = strip[100]
    assert doubts(strip, 104, 105) == [(104, 120, "repeated lines")]


def test_a_block_from_the_cameras_older_buffers_is_told() -> None:
    parts = [metal(50, WIDTH, seed=n) for n in range(10)]
    again = np.concatenate([*parts[:8], parts[1], parts[8], parts[9], parts[0]])
    assert doubts(again, *range(50, 600, 50)) == [(400, 450, "repeated image")]


def columns(lines: int, dead: slice, *, dark: int = 20) -> Pixels:
    strip = metal(lines, WIDTH)
    strip[:, :dark] = 5
    strip[:, dead] = 77
    return strip


def test_dead_columns_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    trust = BlockTrust(mm_per_px=0.5)
    strip = columns(2000, slice(60, 63))
    strip[:, 99] = 200
    with caplog.at_level(logging.WARNING):
        told = [trust.spans(block(strip[n : n + 100], n)) for n in range(0, 2000, 100)]
    assert trust.dead_columns == "60-62, 99"
    (record,) = caplog.records
    assert (record.message, record.columns, record.camera) == (
        "dead columns",
        "60-62, 99",
        "top-1",
    )
    assert set(told) == {()}  # 1.5 mm are too narrow to hide much


def test_wide_dead_columns_degrade_the_strip_and_keep_its_defects() -> None:
    strip = columns(1500, slice(60, 64))
    strip[1000:1040, 100:120] = 220
    found = inspect([block(strip[n : n + 64], n) for n in range(0, 1500, 64)], WIDTH)
    assert found.states()[:448] == [("inspected", "")] * 448
    assert found.states()[448:] == [("degraded", "dead columns")] * 1052
    assert any(98 <= d.first_px <= 102 and d.last_line < 1050 for d in found.defects.values())


def test_a_long_scratch_that_dazzles_the_camera_is_no_dead_column() -> None:
    strip = metal(1000, WIDTH)
    strip[:, 60:70] = 255
    trust = BlockTrust(mm_per_px=0.5)
    assert trust.spans(block(strip, 0)) == ()
    assert trust.dead_columns == ""


def test_the_dark_between_the_strip_and_a_bright_object_is_no_dead_column() -> None:
    strip = columns(1000, slice(0, 0))
    strip[300:320, 4:9] = 250
    trust = BlockTrust(mm_per_px=0.5)
    trust.spans(block(strip, 0))
    assert trust.dead_columns == ""


def test_a_column_that_is_stuck_at_black_is_dead() -> None:
    trust = BlockTrust(mm_per_px=0.5)
    strip = columns(1000, slice(0, 0))
    strip[:, 60] = 0
    trust.spans(block(strip, 0))
    assert trust.dead_columns == "60"


def test_still_columns_at_the_border_of_the_view_are_no_strip() -> None:
    trust = BlockTrust(mm_per_px=0.5)
    trust.spans(block(columns(1000, slice(150, WIDTH)), 0))
    assert trust.dead_columns == ""
