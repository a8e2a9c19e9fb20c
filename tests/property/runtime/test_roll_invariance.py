"""The same prints give the same repeats, however they arrive and wherever they lie."""

import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stripscan.contract.defect import Defect
from stripscan.runtime.roll_periods import Roll
from unit.runtime.roll_samples import a_watch, at_the_end, clutter, defects_at, records

ROLLS = (Roll(name="a", diameter_mm=600, wear_mm=40), Roll(name="b", diameter_mm=320))


@st.composite
def coils(draw: st.DrawFn) -> list[Defect]:
    """Draw some defects at random and the marks of up to two rolls."""
    count = draw(st.integers(0, 60))
    places = [tuple(p) for p in clutter(draw(st.integers(0, 99)), count=count, length_m=60)]
    for diameter_m in draw(st.lists(st.sampled_from([0.32, 0.58, 0.9]), max_size=2, unique=True)):
        start_m, across = draw(st.floats(0, 30)), draw(st.sampled_from([200.0, 500.0]))
        for turn in range(draw(st.integers(2, 14))):
            if draw(st.integers(0, 3)):
                jitter_m = draw(st.floats(-0.003, 0.003))
                places.append((start_m + turn * math.pi * diameter_m + jitter_m, across))
    return defects_at(places)


@given(coil=coils(), cuts=st.lists(st.integers(0, 90), max_size=6), shuffle=st.randoms())
@settings(max_examples=40)
def test_a_coil_may_be_cut_and_its_pushes_shuffled(
    coil: list[Defect], cuts: list[int], shuffle: random.Random
) -> None:
    watch = a_watch(ROLLS)
    said = []
    bounds = sorted({0, *(min(cut, len(coil)) for cut in cuts), len(coil)})
    for start, stop in pairwise(bounds):
        part = coil[start:stop]
        settled_m = part[-1].along_end_m
        shuffle.shuffle(part)
        said += watch.push(part, settled_m=settled_m)
    assert [*said, *watch.finish()] == records(coil, ROLLS)


@given(
    diameter_m=st.floats(0.16, 1.9),
    missing=st.lists(st.integers(0, 3), min_size=5, max_size=8),
    jitter_mm=st.lists(st.floats(-2, 2), min_size=40, max_size=40),
    shift_m=st.floats(0, 5000),
)
@settings(max_examples=40)
def test_a_mark_is_found_wherever_it_lies_and_whatever_prints_are_missing(
    diameter_m: float, missing: list[int], jitter_mm: list[float], shift_m: float
) -> None:
    """One print of every four is missing at most, and none of the first four."""
    period_m = math.pi * diameter_m
    gone = {4 * (block + 1) + turn for block, turn in enumerate(missing)}
    turns = [turn for turn in range(4 * (len(missing) + 1) + 1) if turn not in gone]
    places = [(120 + t * period_m + jitter_mm[t] / 1000, 300.0) for t in turns]
    (found,) = at_the_end(records(defects_at(places)))
    assert found.period_mm == pytest.approx(1000 * period_m, abs=1)
    assert (found.prints, found.missed) == (len(turns), len(gone))
    assert found.defects == tuple(range(1, len(turns) + 1))
    (moved,) = at_the_end(records(defects_at((x + shift_m, y) for x, y in places)))
    assert (moved.first_m, moved.last_m, moved.period_mm, moved.diameter_mm) == pytest.approx(
        (found.first_m + shift_m, found.last_m + shift_m, found.period_mm, found.diameter_mm)
    )
    same = {"first_m": 0, "last_m": 0, "period_mm": 0, "diameter_mm": 0}
    assert replace(moved, **same) == replace(found, **same)
