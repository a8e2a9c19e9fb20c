from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from stripscan.contract.block import LineRange
from stripscan.contract.coverage import CoverageInterval, CoverageStatus, append_interval
from stripscan.contract.rle import mask_of, runs_of
from stripscan.contract.tiling import TileGrid

MASKS = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2)
)


@given(mask=MASKS, first_line=st.integers(0, 2**40))
def test_runs_give_the_mask_back(mask, first_line):
    runs = runs_of(mask, first_line=first_line)
    lines, width = mask.shape
    assert np.array_equal(mask_of(runs, first_line=first_line, lines=lines, width=width), mask != 0)
    assert (runs[:, 2] - runs[:, 1]).sum() == np.count_nonzero(mask)
    assert runs.tolist() == sorted(runs.tolist())


@given(mask=MASKS, data=st.data())
def test_a_window_of_runs_is_the_window_of_the_mask(mask, data):
    lines, width = mask.shape
    first = data.draw(st.integers(0, lines - 1))
    count = data.draw(st.integers(1, lines - first))
    columns = data.draw(st.integers(1, width))
    window = mask_of(runs_of(mask), first_line=first, lines=count, width=columns)
    assert np.array_equal(window, mask[first : first + count, :columns] != 0)


@st.composite
def grids(draw) -> TileGrid:
    tile_px = 32 * draw(st.integers(1, 12))
    halo_px = draw(st.integers(0, tile_px // 2 - 1))
    return TileGrid(width_px=draw(st.integers(1, 5000)), tile_px=tile_px, halo_px=halo_px)


@given(grid=grids())
def test_cores_cover_each_column_exactly_once(grid):
    hits = np.zeros(grid.width_px, int)
    for start in grid.column_starts():
        hits[start : start + grid.core_px] += 1
    assert (hits == 1).all()


@given(grid=grids())
def test_every_tile_is_needed_and_lies_in_the_padded_image(grid):
    starts = list(grid.column_starts())
    assert len(starts) == grid.columns
    assert starts[-1] < grid.width_px
    assert starts[-1] + grid.tile_px == grid.padded_width_px


@given(
    steps=st.lists(
        st.tuples(
            st.integers(1, 1000),
            st.sampled_from(CoverageStatus),
            st.sampled_from(["", "black frame"]),
        ),
        min_size=1,
    )
)
def test_the_ledger_covers_the_coil_whatever_happens(steps):
    ledger: list[CoverageInterval] = []
    expected: list[tuple[CoverageStatus, str]] = []
    line = 0
    for lines, status, reason in steps:
        ledger = append_interval(
            ledger,
            CoverageInterval(
                camera="top",
                lines=LineRange(start=line, stop=line + lines),
                along_start_m=line * 0.0003,
                along_end_m=(line + lines) * 0.0003,
                status=status,
                reason=reason,
            ),
        )
        expected += [(status, reason)] * lines
        line += lines
    assert [(i.status, i.reason) for i in ledger for _ in range(i.lines.lines)] == expected
    assert ledger[0].lines.start == 0
    assert all(a.lines.stop == b.lines.start for a, b in pairwise(ledger))
    assert all((a.status, a.reason) != (b.status, b.reason) for a, b in pairwise(ledger))
    assert sum(i.length_m for i in ledger) == pytest.approx(line * 0.0003)
