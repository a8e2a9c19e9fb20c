"""What the chain from blocks to defects costs over the bare engine.

Runs the same simulated strip through the bare engine (tiles ready in memory, nothing done with
the masks) and through the whole chain (blocks, bands, tiles, engine, stitching, measuring; no
store), in turn, and compares their throughput. While it times it checks: every pass of the chain
must give the same defects, and the bare engine the same masks.

    python benchmarks/chain.py --out benchmarks/reports/chain.json
"""

import argparse
import hashlib
import json
import os
import platform
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stripscan.contract.block import Block
from stripscan.contract.bundle import Bundle, open_bundle
from stripscan.contract.tiling import TileGrid
from stripscan.runtime.bands import BandBuilder
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.choice import open_engine
from stripscan.runtime.inspector import CoilInspector
from stripscan.runtime.station import CameraSection, Station
from stripscan.runtime.station_sources import SimulatorSource
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip

BLOCK_LINES = 256
BATCH = 16
PITCH_MM = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--length-m", type=float, default=4.0)
    parser.add_argument("--width-px", type=int, default=2048)
    parser.add_argument("--defects-per-class", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    spec = StripSpec(
        width_px=options.width_px,
        length_m=options.length_m,
        defects_per_class=options.defects_per_class,
        mm_per_px=PITCH_MM,
        mm_per_line=PITCH_MM,
    )
    blocks = strip_blocks(SimulatedStrip(spec))
    bundle = open_bundle(default_bundle_path())
    engine = open_engine(bundle)
    tiles = strip_tiles(blocks, bundle, options.width_px)
    pixels = sum(block.pixels.size for block in blocks)

    bare_s, chain_s, masks, defects = [], [], set(), set()
    for _ in range(options.rounds + 1):
        seconds, digest = run_bare(engine, tiles)
        bare_s.append(seconds)
        masks.add(digest)
        seconds, digest = run_chain(engine, bundle, blocks, options.width_px)
        chain_s.append(seconds)
        defects.add(digest)
    if len(masks) > 1 or len(defects) > 1:
        print("FAILED: rounds gave different masks or defects", file=sys.stderr)
        return 1
    record = report(pixels, bare_s[1:], chain_s[1:], options)  # the first round warms up
    print_table(record)
    if options.out:
        options.out.write_text(json.dumps(record, indent=2) + "\n")
    return 0


def strip_blocks(strip: SimulatedStrip) -> list[Block]:
    blocks = []
    for first in range(0, strip.total_lines, BLOCK_LINES):
        lines = min(BLOCK_LINES, strip.total_lines - first)
        blocks.append(
            Block(
                pixels=strip.render(first, lines).pixels,
                camera="camera",
                first_line=first,
                along_m=first * PITCH_MM / 1000,
                mm_per_line=PITCH_MM,
                host_ns=0,
            )
        )
    return blocks


def strip_tiles(blocks: list[Block], bundle: Bundle, width_px: int) -> list[NDArray[np.uint8]]:
    """Return the tiles that the chain infers, in its batches, so that both do the same work."""
    size = bundle.manifest.input
    grid = TileGrid(width_px=width_px, tile_px=size.tile_px, halo_px=size.halo_px)
    builder = BandBuilder(grid)
    bands = [band for block in blocks for band in builder.push(block)] + list(builder.flush())
    right = grid.padded_width_px - width_px - grid.halo_px
    batches = []
    for band in bands:
        padded = np.pad(band.pixels, ((0, 0), (grid.halo_px, right)), mode="reflect")
        row = np.stack([padded[:, x : x + grid.tile_px] for x in grid.column_starts()])
        batches.extend(row[start : start + BATCH] for start in range(0, len(row), BATCH))
    return batches


def run_bare(engine: Engine, batches: list[NDArray[np.uint8]]) -> tuple[float, str]:
    started = time.perf_counter()
    masks = [engine.infer(batch)[0] for batch in batches]
    seconds = time.perf_counter() - started
    return seconds, hashlib.sha256(b"".join(m.tobytes() for m in masks)).hexdigest()


def run_chain(
    engine: Engine, bundle: Bundle, blocks: list[Block], width_px: int
) -> tuple[float, str]:
    station = Station(
        name="bench",
        camera=CameraSection(mm_per_px=PITCH_MM, mm_per_line=PITCH_MM),
        source=SimulatorSource(kind="simulator"),
    )
    inspector = CoilInspector(
        coil="bench", station=station, manifest=bundle.manifest, engine=engine, width_px=width_px
    )
    outcomes = []
    started = time.perf_counter()
    for block in blocks:
        outcomes.extend(inspector.push(block))
    outcomes.extend(inspector.finish())
    seconds = time.perf_counter() - started
    ended = [defect for outcome in outcomes for defect in outcome.changes.defects]
    return seconds, hashlib.sha256(repr(ended).encode()).hexdigest()


def report(
    pixels: int, bare_s: list[float], chain_s: list[float], options: argparse.Namespace
) -> dict[str, object]:
    ratios = [bare / chain for bare, chain in zip(bare_s, chain_s, strict=True)]
    return {
        "benchmark": "chain",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "strip": f"{options.length_m} m, {options.width_px} px, "
        f"{options.defects_per_class} defects of each class",
        "rounds": options.rounds,
        "bare_mpx_s": round(pixels / 1e6 / statistics.median(bare_s), 2),
        "chain_mpx_s": round(pixels / 1e6 / statistics.median(chain_s), 2),
        "chain_over_bare": {
            "min": round(min(ratios), 3),
            "median": round(statistics.median(ratios), 3),
            "max": round(max(ratios), 3),
        },
    }


def print_table(record: dict[str, object]) -> None:
    width = max(len(name) for name in record)
    for name, value in record.items():
        print(f"{name:<{width}}  {value}")


if __name__ == "__main__":
    sys.exit(main())
