import numpy as np
import pytest

from stripscan.contract.block import LineRange
from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.errors import EngineError
from stripscan.contract.tiling import TileGrid
from stripscan.runtime.bands import Band, Span
from stripscan.runtime.gating import HURRIED, Judge
from stripscan.runtime.segment import Segmenter
from unit.runtime.gate_samples import BoxGate, dark_spot
from unit.runtime.inspection_samples import BoxEngine, Pixels, metal

GRID = TileGrid(width_px=96, tile_px=64, halo_px=8)


def judge(*, gate: BoxGate | None = None, gated: bool = False) -> Judge:
    return Judge(Segmenter(BoxEngine(), GRID, batch=4), GRID, gate=gate, gated=gated)


def span(start: int, stop: int, status: CoverageStatus, reason: str = "") -> Span:
    return Span(lines=LineRange(start=start, stop=stop), status=status, reason=reason)


def band(pixels: Pixels, *spans: Span) -> Band:
    return Band(core=LineRange(start=0, stop=48), pixels=pixels, spans=spans, host_ns=0)


def test_who_hurries_says_so_of_all_that_was_seen_and_finds_nothing() -> None:
    pixels = metal(64, 96)
    dark_spot(pixels, 20, 20, side=8)  # inside one cell, lines and columns 16 to 31
    unknown = span(30, 40, CoverageStatus.UNKNOWN, "dark image")
    doubtful = span(40, 48, CoverageStatus.DEGRADED, "dead columns")
    seen = band(pixels, span(0, 30, CoverageStatus.INSPECTED), unknown, doubtful)
    chain = judge(gate=BoxGate())
    (look,) = chain.look([seen], [pixels], hurry=True)
    told = f"{HURRIED}, 1 cells marked"
    assert look.spans == (
        span(0, 30, CoverageStatus.DEGRADED, told),
        unknown,
        span(40, 48, CoverageStatus.DEGRADED, f"dead columns; {told}"),
    )
    assert not look.mask.any()
    assert look.seen.tolist() == [True] * 30 + [False] * 10 + [True] * 8
    assert chain.stats() == {"gate_only_lines": 38, "gate_only_marks": 1}
    assert chain.note == ""


def test_metal_in_which_nothing_is_marked_is_degraded_all_the_same() -> None:
    pixels = metal(64, 96)
    seen = band(pixels, span(0, 48, CoverageStatus.INSPECTED))
    (look,) = judge(gate=BoxGate()).look([seen], [pixels], hurry=True)
    assert look.spans == (span(0, 48, CoverageStatus.DEGRADED, f"{HURRIED}, nothing marked"),)


def test_lines_without_metal_are_shown_to_nobody() -> None:
    gate, pixels = BoxGate(), np.zeros((64, 96), np.uint8)
    unknown = span(0, 48, CoverageStatus.UNKNOWN, "dark image")
    for gated, hurry in ((False, True), (True, False)):
        (look,) = judge(gate=gate, gated=gated).look([band(pixels, unknown)], [pixels], hurry=hurry)
        assert look.spans == (unknown,)
        assert not look.mask.any()
    assert gate.images == 0


def test_nobody_hurries_without_a_gate() -> None:
    pixels = metal(64, 96)
    seen = band(pixels, span(0, 48, CoverageStatus.INSPECTED))
    with pytest.raises(EngineError, match="its bundle has no gate"):
        judge().look([seen], [pixels], hurry=True)
    with pytest.raises(EngineError, match="nothing was given to do so"):
        judge(gated=True)
