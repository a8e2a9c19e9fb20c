"""A gate decides which tiles are inferred, and nothing else."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from property.runtime.test_inspection_invariance import Cutting, cuttings, strips
from stripscan.contract.tiling import TileGrid
from stripscan.runtime.bands import BandBuilder
from stripscan.runtime.gating import GATED, Judge
from stripscan.runtime.inspector import CoilInspector
from stripscan.runtime.segment import Segmenter
from stripscan.runtime.station import Station
from unit.runtime.gate_samples import BoxGate
from unit.runtime.inspection_samples import (
    BoxEngine,
    Found,
    Pixels,
    block,
    inspect,
    manifest,
)


def gated(setup: Station) -> Station:
    inference = setup.inference.model_copy(update={"gate": True})
    return setup.model_copy(update={"inference": inference})


@settings(max_examples=40)
@given(strips(), cuttings())
def test_a_gate_that_marks_what_the_engine_finds_changes_no_defect(
    strip: Pixels, cutting: Cutting
) -> None:
    setup = cutting.station("full")
    whole = inspect(cutting.blocks(strip), strip.shape[1], setup=setup)
    chain = CoilInspector(
        coil="c1",
        station=gated(setup),
        manifest=manifest(),
        engine=BoxEngine(),
        width_px=strip.shape[1],
        gate=BoxGate(),
    )
    found = Found()
    for each in cutting.blocks(strip):
        for outcome in chain.push(each):
            found.keep(outcome)
    for outcome in chain.finish():
        found.keep(outcome)
    assert found.defects == whole.defects
    assert [p for _, p in sorted(pictures(found))] == [p for _, p in sorted(pictures(whole))]
    assert {n: found.runs(n).tolist() for n in found.parts} == {
        n: whole.runs(n).tolist() for n in whole.parts
    }
    assert found.states() == [(s, GATED if s == "inspected" else r) for s, r in whole.states()]
    figures = chain.stats()
    assert 0 <= figures["tiles_passed"] <= figures["tiles"]


def pictures(found: Found) -> list[tuple[int, bytes]]:
    return [(n, p.image_png) for outcome in found.outcomes for n, p in outcome.pictures]


class SomeGate(BoxGate):
    """Marks any cells, whatever is in them."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = np.random.default_rng(seed)
        self.told = []

    def marks(self, images):
        self.told = [self._rng.random(m.shape) < 0.1 for m in super().marks(images)]
        return self.told


@settings(max_examples=40)
@given(strips(), st.integers(0, 99), st.sampled_from([(64, 8), (96, 12), (128, 16)]))
def test_passed_tiles_have_the_masks_of_the_whole_chain_and_others_are_background(
    strip: Pixels, seed: int, tile: tuple[int, int]
) -> None:
    width = strip.shape[1]
    grid = TileGrid(width_px=width, tile_px=tile[0], halo_px=tile[1])
    builder, gate = BandBuilder(grid), SomeGate(seed)
    bands = [*builder.push(block(strip, 0)), *builder.flush()]
    pixels = [band.pixels for band in bands]
    segmenter = Segmenter(BoxEngine(), grid, batch=5)
    some = Judge(segmenter, grid, gate=gate, gated=True).look(bands, pixels, hurry=False)
    for band, look, marks in zip(bands, some, gate.told, strict=True):
        mask, score = segmenter.segment(band)
        for column in range(grid.columns):
            place = slice(column * grid.core_px, min((column + 1) * grid.core_px, width))
            rows = slice(grid.halo_px, grid.halo_px + band.core.lines)
            marked = np.kron(marks, np.ones((16, 16), bool))[rows, place].any()
            assert np.array_equal(look.mask[:, place], mask[:, place] * marked)
            assert np.array_equal(look.score[:, place], score[:, place] * marked)
