"""The same coil gives the same defects, however it is cut into blocks and tiles."""

import dataclasses
import math
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stripscan.contract.block import Block
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.rle import runs_of
from stripscan.runtime.inspector import CoilInspector
from stripscan.runtime.station import Station
from unit.runtime.inspection_samples import (
    ENGINE_RADIUS_PX,
    MM_PER_LINE,
    MM_PER_PX,
    BoxEngine,
    Found,
    block,
    blocks_of,
    components,
    inspect,
    manifest,
    metal,
    station,
)

Pixels = NDArray[np.uint8]

NAME = {c.id: c.name for c in NEU_CLASSES}
MIN_AREA_PX = {"inclusion": 12, "patches": 150, "scratches": 40}
JOIN_MM = 1.5


@st.composite
def strips(draw: st.DrawFn) -> Pixels:
    """Draw metal with rectangles and lines of three classes, anywhere and across everything."""
    lines, width = draw(st.integers(1, 420)), draw(st.integers(20, 230))
    strip = metal(lines, width, seed=draw(st.integers(0, 1000)))
    if draw(st.booleans()):
        line, px = np.ogrid[:lines, :width]
        strip[(px < width // 12 + line // 30) | (px >= width - width // 9 + line // 30)] = 4
    for _ in range(draw(st.integers(0, 8))):
        grey = draw(st.sampled_from([35, 70, 220]))
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, lines - 1))
        if draw(st.booleans()):
            corner = (x + draw(st.integers(0, 80)), y + draw(st.integers(0, 150)))
            cv2.rectangle(strip, (x, y), corner, grey, thickness=-1)
        else:
            end = (draw(st.integers(0, width - 1)), draw(st.integers(0, lines - 1)))
            cv2.line(strip, (x, y), end, grey, thickness=draw(st.integers(4, 8)))
    noise = np.random.default_rng(1).integers(0, 4, strip.shape, np.uint8)
    return strip + noise  # a sensor never gives two lines that are alike


@dataclass(frozen=True)
class Cutting:
    tile_px: int
    halo_px: int
    batch: int
    cuts: tuple[int, ...]  # and a cut every so many lines
    every: int

    def blocks(self, strip: Pixels) -> list[Block]:
        return list(blocks_of(strip, (*self.cuts, *range(self.every, 420, self.every))))

    def station(self, strip_edges: str) -> Station:
        return station(
            tile_px=self.tile_px,
            halo_px=self.halo_px,
            batch=self.batch,
            join_mm=JOIN_MM,
            strip_edges=strip_edges,
        )


@st.composite
def cuttings(draw: st.DrawFn) -> Cutting:
    tile_px = 32 * draw(st.integers(2, 8))
    return Cutting(
        tile_px=tile_px,
        halo_px=draw(st.integers(ENGINE_RADIUS_PX, tile_px // 2 - 12)),
        batch=draw(st.integers(1, 20)),
        cuts=tuple(draw(st.lists(st.integers(1, 419), max_size=5))),
        every=draw(st.sampled_from([1, 7, 64, 100, 1000])),
    )


def inspected(strip: Pixels, cutting: Cutting, strip_edges: str) -> Found:
    return inspect(
        cutting.blocks(strip),
        strip.shape[1],
        setup=cutting.station(strip_edges),
        model=manifest(min_area_px=MIN_AREA_PX),
    )


def by_place(found: Found) -> list[tuple[list[list[int]], Defect]]:
    """Return masks and records by place: the order of numbers is that of being noticed."""
    both = [
        (found.runs(number).tolist(), dataclasses.replace(defect, number=0))
        for number, defect in found.defects.items()
    ]
    return sorted(both, key=lambda pair: pair[0])


def assert_same(one: Defect, other: Defect) -> None:
    """Compare all fields; sums of areas differ in the last bit with the order of adding."""
    left, right = dataclasses.asdict(one), dataclasses.asdict(other)
    assert left.pop("class_share") == pytest.approx(right.pop("class_share"))
    numbers = {key for key, value in left.items() if isinstance(value, float)}
    assert {k: left.pop(k) for k in numbers} == pytest.approx(
        {k: right.pop(k) for k in numbers}, rel=1e-9, abs=1e-9
    )
    assert left == right


def of_the_whole(strip: Pixels) -> list[tuple[list[list[int]], dict[str, object]]]:
    """Return masks and what can be told of them by looking at the whole coil at once."""
    mask, score = (out[0] for out in BoxEngine().infer(strip[None]))
    labels = components(
        mask,
        reach_lines=math.ceil(JOIN_MM / MM_PER_LINE / 2),
        reach_px=math.ceil(JOIN_MM / MM_PER_PX / 2),
    )
    result = []
    for number in set(np.unique(labels).tolist()) - {0}:
        here = labels == number
        pixels = np.bincount(mask[here], minlength=7)
        if sum(pixels[c.id] / MIN_AREA_PX.get(c.name, 1) for c in NEU_CLASSES) < 1:
            continue
        weight = np.bincount(mask[here], weights=score[here], minlength=7)
        lines, px = np.nonzero(here)
        fields: dict[str, object] = {
            "class_name": NAME[int(np.argmax(weight))],
            "area_px": len(lines),
            "area_mm2": len(lines) * MM_PER_PX * MM_PER_LINE,
            "along_start_m": lines.min() * MM_PER_LINE / 1000,
            "along_end_m": (lines.max() + 1) * MM_PER_LINE / 1000,
            "length_mm": (lines.max() + 1 - lines.min()) * MM_PER_LINE,
            "width_mm": (px.max() + 1 - px.min()) * MM_PER_PX,
            "first_line": lines.min(),
            "last_line": lines.max(),
            "first_px": px.min(),
            "last_px": px.max(),
            "confidence": weight.max() / pixels[np.argmax(weight)] / 255,
            "phase": DefectPhase.END,
        }
        result.append((runs_of(here).tolist(), fields))
    return sorted(result, key=lambda pair: pair[0])


@settings(max_examples=60)
@given(strips(), cuttings())
def test_every_cutting_finds_what_the_whole_coil_shows(strip: Pixels, cutting: Cutting) -> None:
    found = inspected(strip, cutting, "full")
    places, expected = by_place(found), of_the_whole(strip)
    assert [runs for runs, _ in places] == [runs for runs, _ in expected]
    for (_, defect), (_, fields) in zip(places, expected, strict=True):
        seen = {name: getattr(defect, name) for name in fields}
        for name in ("class_name", "phase"):
            assert seen.pop(name) == fields.pop(name)
        assert seen == pytest.approx(fields)
        assert sum(defect.class_share.values()) == pytest.approx(1)
        assert defect.edge_left_mm == defect.first_px * MM_PER_PX
        assert defect.edge_right_mm == (strip.shape[1] - 1 - defect.last_px) * MM_PER_PX
    assert found.states() == [("inspected", "")] * len(strip)
    assert sum(i.length_m for i in found.coverage) == pytest.approx(len(strip) * MM_PER_LINE / 1000)


@settings(max_examples=40)
@given(strips(), cuttings())
def test_defects_end_in_the_order_of_their_ends(strip: Pixels, cutting: Cutting) -> None:
    settled_m = last_end_m = 0.0
    for outcome in inspected(strip, cutting, "full").outcomes:
        ends_m = [d.along_end_m for d in outcome.changes.defects if d.phase is DefectPhase.END]
        assert min(ends_m, default=math.inf) >= max(settled_m, last_end_m)
        assert settled_m <= outcome.settled_m <= len(strip) * MM_PER_LINE / 1000
        settled_m, last_end_m = outcome.settled_m, max(ends_m, default=last_end_m)


@settings(max_examples=40)
@given(strips(), cuttings(), cuttings(), st.sampled_from(["full", "detect"]))
def test_two_cuttings_agree_in_every_field(
    strip: Pixels, one: Cutting, other: Cutting, strip_edges: str
) -> None:
    first, second = (by_place(inspected(strip, c, strip_edges)) for c in (one, other))
    assert [runs for runs, _ in first] == [runs for runs, _ in second]
    for (_, left), (_, right) in zip(first, second, strict=True):
        assert_same(left, right)


@settings(max_examples=30)
@given(strips(), cuttings(), st.lists(st.integers(1, 419), max_size=30))
def test_blocks_change_nothing_on_the_way_either(
    strip: Pixels, cutting: Cutting, cuts: list[int]
) -> None:
    recut = dataclasses.replace(cutting, cuts=tuple(cuts), every=1000)
    one, other = (inspected(strip, c, "detect").outcomes for c in (cutting, recut))
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.changes.merged == right.changes.merged
        assert left.changes.defects == right.changes.defects
        assert [(n, r.tolist()) for n, r in left.changes.runs] == [
            (n, r.tolist()) for n, r in right.changes.runs
        ]
        assert left.pictures == right.pictures
        assert left.coverage == right.coverage


@settings(max_examples=30)
@given(strips(), cuttings(), st.data())
def test_areas_and_lengths_follow_a_changing_speed(
    strip: Pixels, cutting: Cutting, data: st.DataObject
) -> None:
    bounds = [b.first_line for b in cutting.blocks(strip)]
    pitches = [data.draw(st.sampled_from([0.1, 0.25, 0.4])) for _ in bounds[:8]]
    pitch = np.repeat(
        np.resize(pitches, len(bounds)), np.diff([*bounds, len(strip)])
    )  # mm of each line
    along_m = np.concatenate([[0.0], np.cumsum(pitch)]) / 1000
    blocks = [
        block(
            b.pixels,
            b.first_line,
            along_m=float(along_m[b.first_line]),
            mm_per_line=float(pitch[b.first_line]),
        )
        for b in cutting.blocks(strip)
    ]
    found = inspect(
        blocks,
        strip.shape[1],
        setup=cutting.station("full"),
        model=manifest(min_area_px=MIN_AREA_PX),
    )
    for number, defect in found.defects.items():
        runs = found.runs(number)
        area = sum((stop - start) * pitch[line] for line, start, stop in runs) * MM_PER_PX
        assert defect.area_mm2 == pytest.approx(area)
        assert defect.along_start_m == pytest.approx(along_m[defect.first_line])
        assert defect.along_end_m == pytest.approx(along_m[defect.last_line + 1])
        passed = pitch[defect.first_line : defect.last_line + 1].sum()
        assert defect.length_mm == pytest.approx(passed)
    assert found.states() == [("inspected", "")] * len(strip)
    assert sum(i.length_m for i in found.coverage) == pytest.approx(pitch.sum() / 1000)


def test_a_batch_is_never_larger_than_asked_for() -> None:
    engine = BoxEngine()
    chain = CoilInspector(
        coil="c1", station=station(batch=3), manifest=manifest(), engine=engine, width_px=300
    )
    list(chain.push(block(metal(200, 300), 0)))
    assert engine.largest_batch == 3
