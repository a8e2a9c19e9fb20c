"""However the strip moves and its lines are cut: the same strip at the same metres."""

import dataclasses
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stripscan.contract.block import Block, BlockStatus, LineRange
from stripscan.runtime.station_encoder import EncoderSection
from unit.runtime import inspection_samples as samples
from unit.runtime.encoder_samples import (
    COUNTS_PER_LINE,
    MM_PER_LINE,
    encoder,
    followed,
    numbered,
    states,
    turning,
    watched,
)

Pixels = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Motion:
    """Where a strip turns, in lines from its head, and how its lines are cut into blocks."""

    points: tuple[int, ...]
    cuts: tuple[int, ...]
    bits: int
    direction: int
    start: int

    @property
    def rows(self) -> NDArray[np.int64]:
        return turning(*self.points)

    @property
    def turns(self) -> list[int]:
        """Lines of the camera at which the strip has turned."""
        return (np.cumsum(np.abs(np.diff(self.points)))[:-1] + 1).tolist()

    def blocks(self, stops: list[int]) -> list[Block]:
        return watched(
            self.rows,
            (*self.cuts, len(self.rows) - 1),  # the way of the last block is not known
            counter_bits=self.bits,
            direction=self.direction,
            start=self.start,
            stops=stops,
        )


@st.composite
def motions(draw: st.DrawFn, lines: int | None = None) -> Motion:
    points = [0]
    for _ in range(draw(st.integers(0, 4))):
        farthest = points[-1] + draw(st.integers(4, 90))
        if lines is not None and farthest > lines - 10:
            break
        points += [farthest, max(farthest - draw(st.integers(3, 60)), 0)]
    points.append(lines - 1 if lines else max(points) + draw(st.integers(3, 200)))
    every = draw(st.sampled_from([1, 3, 7, 64, 100, 2000]))
    cuts = draw(st.lists(st.integers(1, 900), max_size=8))
    bits = draw(st.sampled_from([16, 32, 64]))
    return Motion(
        points=tuple(points),
        cuts=(*cuts, *range(every, 1500, every)),
        bits=bits,
        direction=draw(st.sampled_from([1, -1])),
        start=draw(st.integers(0, 2**bits - 1)),
    )


@settings(max_examples=300)
@given(motions(), st.data())
def test_what_is_inspected_is_the_strip_line_for_line(motion: Motion, data: st.DataObject) -> None:
    kinds = st.sampled_from([[], motion.turns])
    some = st.lists(st.sampled_from(motion.turns), unique=True) if motion.turns else st.just([])
    stops = data.draw(kinds | some)
    chain = encoder(counter_bits=motion.bits, direction=motion.direction)
    told = states(followed(chain, motion.blocks(stops)))
    assert len(told) == max(motion.points) + 1
    assert chain.reseen_lines == len(motion.rows) - len(told)
    assert chain.faults == 0
    for line, (state, row, at_m) in enumerate(told):
        assert state in {"inspected", "degraded", "unknown"}
        assert row == line or state != "inspected"
        assert at_m == pytest.approx(line * MM_PER_LINE / 1000)
    if stops == motion.turns:
        assert {state for state, _, _ in told} == {"inspected"}


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(1, 300), st.sampled_from([0.0, 0.2, 0.5, 1.0, 1.4])),
        min_size=1,
        max_size=12,
    ),
    st.booleans(),
)
def test_a_free_camera_places_every_line_that_it_keeps(
    way: list[tuple[int, float]], wraps: bool
) -> None:
    way = [(100, 1.0), *way, (10, 1.0)]
    pitch = np.concatenate([np.full(lines, speed) for lines, speed in way])
    at = np.concatenate([[0.0], np.cumsum(pitch)[:-1]])
    firsts = np.cumsum([0, *(lines for lines, _ in way)])
    blocks = [
        Block(
            pixels=numbered(np.arange(first, stop)),
            camera="top-1",
            first_line=int(first),
            along_m=0.0,
            mm_per_line=MM_PER_LINE,
            host_ns=0,
            encoder_count=round(at[first] * COUNTS_PER_LINE + 30_000 * wraps) % 2**16,
        )
        for first, stop in pairwise(firsts)
    ]
    told = states(followed(encoder(triggers_lines=False, counter_bits=16), blocks))
    places = [at_m * 1000 / MM_PER_LINE for _, _, at_m in told]
    assert {state for state, _, _ in told[:-10]} == {"inspected"}
    for (_, row, _), place in zip(told, places, strict=True):
        if row < firsts[-2]:  # the way of the last block is not known
            assert place == pytest.approx(at[row], abs=0.5)  # counts are whole
    steps = np.diff(places)
    assert steps.min() >= -1e-9
    assert steps.max() < 1.4 + 1 / COUNTS_PER_LINE + 1e-9  # no strip is left out
    assert places[-1] > at[firsts[-2]] - 1.6


def spotted(lines: int, seed: int) -> Pixels:
    """Return metal with dark and bright boxes."""
    rng = np.random.default_rng(seed)
    strip = samples.metal(lines, 64, seed=seed)
    for _ in range(4):
        x, y = int(rng.integers(0, 60)), int(rng.integers(0, lines))
        corner = (x + int(rng.integers(6, 30)), y + int(rng.integers(6, 120)))
        cv2.rectangle(strip, (x, y), corner, int(rng.choice([35, 210])), thickness=-1)
    return strip + rng.integers(0, 4, strip.shape, np.uint8)


def inspected(blocks: list[Block], *, bits: int = 32, direction: int = 1) -> samples.Found:
    counts = {"mm_per_count": samples.MM_PER_LINE / COUNTS_PER_LINE, "counter_bits": bits}
    setup = samples.station().model_copy(
        update={"encoder": EncoderSection.model_validate(counts | {"direction": direction})}
    )
    return samples.inspect(blocks, 64, setup=setup)


def told(found: samples.Found) -> list[tuple[object, ...]]:
    return sorted(
        (
            found.runs(number).tolist(),
            d.class_name,
            round(d.along_start_m, 9),
            round(d.along_end_m, 9),
            round(d.area_mm2, 6),
        )
        for number, d in found.defects.items()
    )


@settings(max_examples=40)
@given(motions(lines=400), st.integers(0, 99))
def test_a_strip_that_stops_and_turns_has_the_same_defects(motion: Motion, seed: int) -> None:
    strip = spotted(400, seed)
    blocks = [
        dataclasses.replace(b, pixels=strip[motion.rows[b.lines.start : b.lines.stop]])
        for b in motion.blocks(motion.turns)
    ]
    found = inspected(blocks, bits=motion.bits, direction=motion.direction)
    assert found.states() == [("inspected", "")] * 400
    assert told(found) == told(samples.inspect(samples.blocks_of(strip), 64))
    assert sum(i.length_m for i in found.coverage) == pytest.approx(0.4 * samples.MM_PER_LINE)


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.integers(8, 120), st.sampled_from("ggglpdrm")), min_size=1, max_size=12),
    st.booleans(),
)
def test_no_fault_looks_clean_and_nothing_else_suffers(
    arrivals: list[tuple[int, str]], encoded: bool
) -> None:
    """g is good, l lost, p partly lost, d partly dark, r an earlier block again, m missing."""
    total = sum(lines for lines, _ in arrivals)
    strip = spotted(total + 20, 1)
    expected: list[tuple[str, str]] = []
    blocks: list[Block] = []
    for number, (lines, kind) in enumerate([*arrivals, (20, "g")]):
        first, state = len(expected), [("inspected", "")] * lines
        pixels, lost = strip[first : first + lines], ()
        part = LineRange(start=first + lines // 3, stop=first + lines // 2 + 1)
        inside = slice(part.start - first, part.stop - first)
        earlier = [b for b in blocks[-8:] if b.lines.lines == lines and not b.lost]
        if kind == "l":
            lost, state = (LineRange(start=first, stop=first + lines),), [LOST] * lines
        elif kind == "p":
            lost = (part,)
            state[inside] = [LOST] * part.lines
        elif kind == "d":
            pixels = pixels.copy()
            pixels[inside] = np.random.default_rng(number).integers(0, 9, pixels[inside].shape)
            state[inside] = [("unknown", "dark image")] * part.lines
        elif kind == "r" and earlier and earlier[0].pixels.min() > 10:
            pixels, state = earlier[0].pixels.copy(), [("unknown", "repeated image")] * lines
        expected += state if kind != "m" else [("dropped", "lost lines")] * lines
        if kind != "m":
            count = first * COUNTS_PER_LINE if encoded else None
            one = samples.block(pixels, first, lost=lost)
            status = BlockStatus.LOST_LINES if lost else BlockStatus.COMPLETE
            blocks.append(dataclasses.replace(one, encoder_count=count, status=status))
    found = inspected(blocks) if encoded else samples.inspect(blocks, 64)
    assert found.states() == expected
    seen = {line for line, state in enumerate(expected) if state[0] == "inspected"}
    assert found.marked_lines() <= seen


LOST = ("unknown", "lost lines")
