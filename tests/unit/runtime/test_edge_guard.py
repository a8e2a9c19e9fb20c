"""What lies on the strip is never masked deeper than the margin, whatever hides the edge."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stripscan.runtime.conditioning.edge_guard import EdgeGuard
from stripscan.runtime.conditioning.strip_meter import StripMeter

WIDTH, BAND, MARGIN_PX = 400, 48, 12.0
LEFT, RIGHT = 50.0, 350.0
MM_PER_LINE = 10.0  # 2 m are 200 lines, 25 samples


def guard(margin_px: float = MARGIN_PX) -> EdgeGuard:
    return EdgeGuard(width_px=WIDTH, margin_px=margin_px, mm_per_line=MM_PER_LINE)


def steady(lines: int, left: float = LEFT, right: float = RIGHT) -> NDArray[np.float32]:
    return np.repeat(np.array([[left, right]], np.float32), lines, axis=0)


def kept(edges: NDArray[np.float32], watcher: EdgeGuard | None = None) -> NDArray[np.int64]:
    """Return first and stop of each line, band by band."""
    watcher = watcher or guard()
    pairs = [
        np.stack(watcher.keep(band, np.ones(len(band), np.bool_)), axis=1)
        for band in np.split(edges, range(BAND, len(edges), BAND))
    ]
    return np.concatenate(pairs)


def test_the_margin_is_masked_once_half_a_metre_is_known() -> None:
    watcher = guard()
    assert kept(steady(40), watcher)[-1].tolist() == [0, WIDTH]
    assert kept(steady(40), watcher)[-1].tolist() == [62, 338]


@settings(max_examples=60)
@given(
    st.integers(48, 400),
    st.integers(1, 900),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(-20, 20),
)
def test_a_dark_defect_of_any_length_on_an_edge_is_kept(
    start: int, length: int, deep_left: int, deep_right: int, wander: int
) -> None:
    lines = 1200
    shift = np.rint(wander * np.sin(np.arange(lines) / 180))[:, None].astype(np.float32)
    true = steady(lines) + shift
    found = true.copy()
    found[start : start + length, 0] += deep_left
    found[start : start + length, 1] -= min(deep_right, 260 - deep_left)
    result = kept(found)
    assert np.all(result[:, 0] <= true[:, 0] + MARGIN_PX)
    assert np.all(result[:, 1] >= true[:, 1] - MARGIN_PX)


def test_a_strip_without_visible_edges_loses_nothing() -> None:
    assert kept(steady(600, 0, WIDTH))[-1].tolist() == [0, WIDTH]
    assert kept(steady(600, 0, RIGHT))[-1].tolist() == [0, 338]


def test_a_margin_leaves_half_of_a_narrow_strip() -> None:
    assert kept(steady(600, 180, 220), guard(100))[-1].tolist() == [190, 210]


def test_lines_that_were_not_seen_tell_nothing() -> None:
    watcher = guard()
    kept(steady(480), watcher)
    blind = np.zeros(BAND, np.bool_)
    for _ in range(20):
        watcher.keep(steady(BAND, 10, 390), blind)
    assert kept(steady(48), watcher)[-1].tolist() == [62, 338]


def test_the_meter_sums_up_a_coil() -> None:
    meter = StripMeter(width_px=WIDTH, mm_per_px=0.5)
    assert meter.stats() == {}
    meter.push(steady(BAND, 0, WIDTH))  # no strip yet
    assert meter.stats() == {}
    for left, right in ((50, 350), (60, 350), (60, 360), (60, 361)):
        edges = steady(BAND, left, right)
        edges[:20, 0] += 30  # a spot on the edge
        meter.push(edges)
    assert meter.stats() == {
        "strip_left_mm": 30.0,
        "strip_right_mm": 175.0,
        "strip_width_min_mm": 145.0,
        "strip_width_median_mm": 150.0,
        "strip_width_max_mm": 150.5,
        "strip_wander_mm": 5.25,
    }
