"""What looks at bands: the segmenter at all tiles, or at those that the gate marks, or the gate."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.coverage import SEEN, CoverageStatus
from stripscan.contract.errors import EngineError
from stripscan.contract.tiling import TileGrid
from stripscan.runtime.bands import Band, Span
from stripscan.runtime.gate import Gate, Marks, marked_in_core, passed_tiles
from stripscan.runtime.segment import Segmented, Segmenter
from stripscan.runtime.store_records import Stat

Pixels = NDArray[np.uint8]

GATED = "gated"
"""Note of lines that were inspected where the gate saw something, and by the gate elsewhere."""

HURRIED = "the machine was slower than the line: gate only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen in a band's core.

    Attributes:
        mask: uint8 ``[lines, width]``, class ids; to be written to.
        score: uint8 ``[lines, width]``.
        seen: bool ``[lines]``: lines that show metal.
        spans: What is known of the lines now.
    """

    mask: Pixels
    score: Pixels
    seen: NDArray[np.bool_]
    spans: tuple[Span, ...]


class Judge:
    """Looks at bands.

    Args:
        segmenter: Finds defects.
        grid: The tiles.
        gate: Marks what could be one.
        gated: Whether only tiles with a mark are segmented.

    Raises:
        EngineError: Tiles are to be gated, and there is no gate.
    """

    def __init__(
        self, segmenter: Segmenter, grid: TileGrid, *, gate: Gate | None, gated: bool
    ) -> None:
        if gated and gate is None:
            raise EngineError("the station gates its tiles, and nothing was given to do so")
        self._segmenter = segmenter
        self._grid = grid
        self._gate = gate
        self._gated = gated
        self._tiles = self._passed = self._hurried_lines = self._hurried_marks = 0

    @property
    def note(self) -> str:
        """What there is to say of inspected lines; empty where all tiles are segmented."""
        return GATED if self._gated else ""

    def stats(self) -> dict[str, Stat]:
        """Return the coil's figures of the gate, where it was used."""
        figures: dict[str, Stat] = {}
        if self._gated:
            figures |= {"tiles": self._tiles, "tiles_passed": self._passed}
        if self._hurried_lines:
            figures["gate_only_lines"] = self._hurried_lines
            figures["gate_only_marks"] = self._hurried_marks
        return figures

    def look(self, bands: Sequence[Band], even: Sequence[Pixels], *, hurry: bool) -> list[Look]:
        """Return what is in bands.

        Args:
            bands: The bands.
            even: Their pixels under even light, uint8 ``[tile_px, width]``.
            hurry: The gate alone looks, and what it looks at is degraded.

        Raises:
            EngineError: Inference failed, or there is no gate to hurry with.
        """
        seen = [_seen_lines(band) for band in bands]
        lit = [number for number, lines in enumerate(seen) if lines.any()]
        spans = [band.spans for band in bands]
        chosen = [np.zeros(self._grid.columns, np.bool_) for _ in bands]
        for number in lit:
            chosen[number][:] = not hurry
        if lit and (hurry or self._gated):
            marks = self._marks([even[number] for number in lit])
            for number, marked in zip(lit, marks, strict=True):
                if hurry:
                    spans[number] = self._hurried(bands[number], marked)
                else:
                    chosen[number] = self._passing(bands[number], marked)
        found = self._segmenter.segment_chosen(
            [dataclasses.replace(b, pixels=e) for b, e in zip(bands, even, strict=True)], chosen
        )
        return [_look(f, s, p) for f, s, p in zip(found, seen, spans, strict=True)]

    def _marks(self, images: Sequence[Pixels]) -> list[Marks]:
        if self._gate is None:
            raise EngineError("the inspection cannot hurry: its bundle has no gate")
        return self._gate.marks(images)

    def _passing(self, band: Band, marks: Marks) -> NDArray[np.bool_]:
        cell_px = 0 if self._gate is None else self._gate.cell_px
        passed = passed_tiles(marks, self._grid, cell_px=cell_px, core_lines=band.core.lines)
        self._tiles += passed.size
        self._passed += int(passed.sum())
        return passed

    def _hurried(self, band: Band, marks: Marks) -> tuple[Span, ...]:
        """Return spans that say of each line that it was seen by the gate alone."""
        cell_px = 0 if self._gate is None else self._gate.cell_px
        inside = marked_in_core(marks, self._grid, cell_px=cell_px, core_lines=band.core.lines)
        count = int(inside.sum())
        self._hurried_marks += count
        self._hurried_lines += int(np.count_nonzero(_seen_lines(band)))
        told = f"{HURRIED}, {count} cells marked" if count else f"{HURRIED}, nothing marked"
        spans = []
        for span in band.spans:
            if span.status in SEEN:
                reason = f"{span.reason}; {told}" if span.reason else told
                degraded = CoverageStatus.DEGRADED
                spans.append(dataclasses.replace(span, status=degraded, reason=reason))
            else:
                spans.append(span)
        return tuple(spans)


def _look(found: Segmented, seen: NDArray[np.bool_], spans: tuple[Span, ...]) -> Look:
    mask, score = found
    if not seen.all():
        mask[~seen] = 0
    return Look(mask=mask, score=score, seen=seen, spans=spans)


def _seen_lines(band: Band) -> NDArray[np.bool_]:
    seen = np.zeros(band.core.lines, np.bool_)
    for span in band.spans:
        if span.status in SEEN:
            seen[span.lines.start - band.core.start : span.lines.stop - band.core.start] = True
    return seen
