"""What tests of the inspection share: a strip, an engine to follow by hand, a run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, LineRange
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.defect import Defect
from stripscan.contract.manifest import FileRecord, InputSpec, Manifest
from stripscan.contract.manifest_file import complete_manifest
from stripscan.runtime.inspector import CoilInspector, Outcome
from stripscan.runtime.station import Station
from stripscan.runtime.store_records import join_runs
from unit.contract.bundle_samples import FILES, draft

Pixels = NDArray[np.uint8]

MM_PER_PX = 0.5
MM_PER_LINE = 0.25
ENGINE_RADIUS_PX = 2

DARK_CLASS, GREY_CLASS, BRIGHT_CLASS = 2, 3, 6


class BoxEngine:
    """Classes by the mean of 5×5 pixels: what a pixel gets depends on two around it."""

    description = "box mean"

    def __init__(self) -> None:
        self.largest_batch = 0

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        self.largest_batch = max(self.largest_batch, len(tiles))
        mean = np.stack([cv2.blur(tile, (5, 5)) for tile in tiles])
        mask = np.zeros_like(mean)
        mask[(mean >= 20) & (mean < 60)] = DARK_CLASS
        mask[(mean >= 60) & (mean < 85)] = GREY_CLASS
        mask[mean >= 180] = BRIGHT_CLASS
        return mask, np.abs(mean.astype(np.int16) - 120).astype(np.uint8)


def metal(lines: int, width: int, *, seed: int = 0) -> Pixels:
    """Return metal without a defect: no two lines are alike."""
    return np.random.default_rng(seed).integers(105, 136, (lines, width), np.uint8)


def manifest(*, min_area_px: int | dict[str, int] = 1, halo_px: int = 8) -> Manifest:
    areas = min_area_px if isinstance(min_area_px, dict) else {}
    default = min_area_px if isinstance(min_area_px, int) else 1
    return complete_manifest(
        draft(
            input=InputSpec(tile_px=64, halo_px=halo_px, mm_per_px=0.5, size_multiple_px=32),
            min_area_px={c.name: areas.get(c.name, default) for c in NEU_CLASSES},
        ),
        {name: FileRecord(sha256="0" * 64, size_bytes=len(data)) for name, data in FILES.items()},
    )


def station(
    *,
    tile_px: int = 64,
    halo_px: int = 8,
    batch: int = 4,
    join_mm: float = 0.0,
    strip_edges: str = "full",
    picture_px: int = 64,
) -> Station:
    return Station.model_validate(
        {
            "name": "line 1",
            "camera": {
                "name": "top-1",
                "mm_per_px": MM_PER_PX,
                "mm_per_line": MM_PER_LINE,
                "strip_edges": strip_edges,
            },
            "source": {"kind": "folder", "path": Path("unused")},
            "inference": {"tile_px": tile_px, "halo_px": halo_px, "batch": batch},
            "stitch": {"join_mm": join_mm},
            "report": {"picture_px": picture_px},
        }
    )


def block(
    pixels: Pixels,
    first_line: int,
    *,
    along_m: float | None = None,
    mm_per_line: float = MM_PER_LINE,
    lost: tuple[LineRange, ...] = (),
    host_ns: int = 0,
) -> Block:
    return Block(
        pixels=pixels,
        camera="top-1",
        first_line=first_line,
        along_m=first_line * mm_per_line / 1000 if along_m is None else along_m,
        mm_per_line=mm_per_line,
        host_ns=host_ns,
        lost=lost,
    )


def blocks_of(pixels: Pixels, cuts: Iterable[int] = ()) -> Iterator[Block]:
    """Cut a strip before the lines ``cuts``."""
    inside = {cut for cut in cuts if 0 < cut < len(pixels)}
    bounds = sorted({0, len(pixels)} | inside)
    for start, stop in pairwise(bounds):
        yield block(pixels[start:stop], start)


@dataclass
class Found:
    """What is in the store at the end, and everything on the way."""

    outcomes: list[Outcome] = field(default_factory=list)
    defects: dict[int, Defect] = field(default_factory=dict)
    parts: dict[int, list[NDArray[np.int64]]] = field(default_factory=dict)
    coverage: list[CoverageInterval] = field(default_factory=list)

    def keep(self, outcome: Outcome) -> None:
        """Do what the store does."""
        self.outcomes.append(outcome)
        for gone, into in outcome.changes.merged:
            self.parts.setdefault(into, []).extend(self.parts.pop(gone, []))
            del self.defects[gone]
        for defect in outcome.changes.defects:
            self.defects[defect.number] = defect
        for number, runs in outcome.changes.runs:
            assert number in self.defects
            self.parts.setdefault(number, []).append(runs)
        self.coverage.extend(outcome.coverage)

    def runs(self, number: int) -> NDArray[np.int64]:
        return join_runs(self.parts[number])

    def marked_lines(self) -> set[int]:
        """Return the lines on which a pixel of any defect lies."""
        return {int(line) for number in self.parts for line in self.runs(number)[:, 0]}

    def states(self) -> list[tuple[str, str]]:
        """Return status and reason of each line, after checking that nothing gapes."""
        told: list[tuple[str, str]] = []
        for interval in self.coverage:
            assert interval.lines.start == len(told)
            told += [(str(interval.status), interval.reason)] * interval.lines.lines
        ends = [interval.along_end_m for interval in self.coverage]
        assert [i.along_start_m for i in self.coverage[1:]] == ends[:-1]
        return told


def inspector(
    width_px: int, *, setup: Station | None = None, model: Manifest | None = None
) -> CoilInspector:
    return CoilInspector(
        coil="c1",
        station=setup or station(),
        manifest=model or manifest(),
        engine=BoxEngine(),
        width_px=width_px,
    )


def inspect(
    blocks: Iterable[Block],
    width_px: int,
    *,
    setup: Station | None = None,
    model: Manifest | None = None,
) -> Found:
    chain = inspector(width_px, setup=setup, model=model)
    found = Found()
    for each in blocks:
        for outcome in chain.push(each):
            found.keep(outcome)
    for outcome in chain.finish():
        found.keep(outcome)
    return found


def components(mask: Pixels, *, reach_lines: int, reach_px: int) -> NDArray[np.int32]:
    """Label a whole mask at once: what all streaming must agree with."""
    kernel = np.ones((2 * reach_lines + 1, 2 * reach_px + 1), np.uint8)
    wide = cv2.dilate(
        (mask > 0).astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    _, labels = cv2.connectedComponents(wide, connectivity=8)
    return np.where(mask > 0, labels, 0).astype(np.int32)
