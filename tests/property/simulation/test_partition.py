from functools import cache
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import Rendered, SimulatedStrip


@cache
def _coil() -> tuple[SimulatedStrip, Rendered]:
    strip = SimulatedStrip(
        StripSpec(width_px=331, length_m=1.0, defects_per_class=1, seed=5, wander_px=9)
    )
    return strip, strip.render(0, strip.total_lines)


@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(1, 1999), max_size=12))
def test_any_partition_of_the_coil_gives_the_same_bytes(cuts: set[int]) -> None:
    strip, whole = _coil()
    borders = [0, *sorted(cuts), strip.total_lines]
    parts = [strip.render(start, stop - start) for start, stop in pairwise(borders)]
    for field in ("pixels", "mask", "number"):
        joined = np.concatenate([getattr(part, field) for part in parts])
        assert joined.tobytes() == getattr(whole, field).tobytes()


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, 1999), lines=st.integers(1, 700))
def test_a_second_strip_asked_for_a_window_shows_the_same(first: int, lines: int) -> None:
    strip, whole = _coil()
    lines = min(lines, strip.total_lines - first)
    window = strip.render(first, lines)
    assert window.pixels.tobytes() == whole.pixels[first : first + lines].tobytes()
    assert np.array_equal(
        strip.edges(first, lines), strip.edges(0, strip.total_lines)[first : first + lines]
    )
