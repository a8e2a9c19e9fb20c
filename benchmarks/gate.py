"""What the gate brings, and what it loses: gated against ungated, on the same coils in one run.

For each density of defects a simulated coil is inspected by the whole chain (blocks, bands, tiles,
engine, stitching, measuring; no store): as the bundle comes, with the tiles of gated runs, and
gated. While it times it checks that every pass gives the same defects, that each tile that the gate
passes has the same mask as without the gate, and that all others are background. The last row is
the worst case: a gate that marks every cell.

``mpx_s`` is by the clock; ``mpx_cpu_s``, by the time of all cores together, tells the same where
others use the machine meanwhile.

    python benchmarks/gate.py --out benchmarks/reports/gate.json
"""

import argparse
import hashlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stripscan.contract.block import Block
from stripscan.contract.bundle import Bundle, open_bundle
from stripscan.contract.errors import ConfigError
from stripscan.contract.rle import mask_of
from stripscan.runtime.acceptance import FOUND_SHARE
from stripscan.runtime.bands import Band, BandBuilder
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.gate import Gate, Marks, passed_tiles
from stripscan.runtime.gating import Judge
from stripscan.runtime.inspector import CoilInspector, tile_grid
from stripscan.runtime.segment import Segmenter
from stripscan.runtime.station import CameraSection, InferenceSection, Station
from stripscan.runtime.station_model import default_bundle_path, load_model, station_gate
from stripscan.runtime.station_sources import SimulatorSource
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip

BLOCK_LINES = 512
PITCH_MM = 0.5
DENSITIES = (0.0, 0.1, 1.0, 2.0, 10.0)


class EverythingMarked:
    """The gate's cost with the most that it can mark."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.cell_px = gate.cell_px

    def marks(self, images: Sequence[NDArray[np.uint8]]) -> list[Marks]:
        return [np.ones_like(marks) for marks in self._gate.marks(images)]

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Coil:
    strip: SimulatedStrip
    blocks: list[Block]
    truth: NDArray[np.int32]

    @property
    def pixels(self) -> int:
        return sum(block.pixels.size for block in self.blocks)

    @property
    def defective(self) -> float:
        return float(np.count_nonzero(self.truth)) / (self.strip.spec.strip_px * len(self.truth))


@dataclass(frozen=True)
class Chain:
    station: Station
    bundle: Bundle
    engine: Engine
    gate: Gate | None


def main() -> int:
    options = _options()
    bundle = open_bundle(options.bundle)
    if bundle.manifest.gate is None:
        print(f"FAILED: {options.bundle} has no gate", file=sys.stderr)
        return 1
    whole, gated = station(options, gate=False), station(options, gate=True)
    alike = whole.model_copy(
        update={"inference": gated.inference.model_copy(update={"gate": False})}
    )
    rows = []
    with closing(load_model(gated, bundle)) as model, closing(station_gate(gated, bundle)) as gate:
        chains = {
            "whole": Chain(whole, bundle, model.engine, None),
            "alike": Chain(alike, bundle, model.engine, None),
            "gated": Chain(gated, bundle, model.engine, gate),
        }
        gate_mpx_s = gate_alone(gate, options)
        for percent in options.percent:
            rows.append(measured(coils_of(percent, options), chains, options))
            print_row(rows[-1])
        chains["gated"] = replace(chains["gated"], gate=EverythingMarked(gate))
        rows.append(measured(coils_of(0.0, options)[:1], chains, options) | {"defective": "all"})
        print_row(rows[-1])
    record = report(rows, gate_mpx_s, options)
    print(json.dumps({k: v for k, v in record.items() if k != "rows"}, indent=2))
    if options.out:
        options.out.write_text(json.dumps(record, indent=2) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bundle", type=Path, default=default_bundle_path())
    parser.add_argument("--length-m", type=float, default=8.0)
    parser.add_argument("--width-px", type=int, default=2048)
    parser.add_argument("--coils", type=int, default=2, help="of each density, of other seeds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tile-px", type=int, help="of gated runs; the bundle's own if none")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--precision")
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--percent", type=float, nargs="*", default=DENSITIES)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    gate = open_bundle(options.bundle).manifest.gate
    options.tile_px = options.tile_px or (gate.tile_px if gate else None)
    return options


def station(options: argparse.Namespace, *, gate: bool) -> Station:
    return Station(
        name="bench",
        camera=CameraSection(mm_per_px=PITCH_MM, mm_per_line=PITCH_MM),
        source=SimulatorSource(kind="simulator"),
        inference=InferenceSection(
            gate=gate,
            engine=options.engine,
            precision=options.precision,
            threads=options.threads,
            tile_px=options.tile_px if gate else None,
        ),
    )


def coils_of(percent: float, options: argparse.Namespace) -> list[Coil]:
    return [coil_of(percent, options, seed=100 + n) for n in range(options.coils)]


def coil_of(percent: float, options: argparse.Namespace, *, seed: int) -> Coil:
    """Return a coil with about so much of its area defective, as near as whole defects come."""
    spec = StripSpec(
        width_px=options.width_px,
        length_m=options.length_m,
        defects_per_class=0,
        mm_per_px=PITCH_MM,
        mm_per_line=PITCH_MM,
        seed=seed,
    )
    area_px = spec.total_lines * spec.strip_px
    wanted_px, count, strip = percent / 100 * area_px, 0, SimulatedStrip(spec)
    while percent:
        try:
            more = SimulatedStrip(replace(spec, defects_per_class=count + 1))
        except ConfigError:  # there is no room for more
            break
        covered = sum(planted.area_px for planted in more.planted)
        if covered > 1.1 * wanted_px and count:
            break
        count, strip = count + max(1, round(0.5 * (wanted_px / covered - 1) * count)), more
        if covered >= 0.9 * wanted_px:
            break
    return drawn(strip)


def drawn(strip: SimulatedStrip) -> Coil:
    blocks, truth = [], []
    for first in range(0, strip.total_lines, BLOCK_LINES):
        rendered = strip.render(first, min(BLOCK_LINES, strip.total_lines - first))
        truth.append(rendered.number)
        blocks.append(
            Block(
                pixels=rendered.pixels,
                camera="camera",
                first_line=first,
                along_m=first * PITCH_MM / 1000,
                mm_per_line=PITCH_MM,
                host_ns=0,
            )
        )
    return Coil(strip, blocks, np.concatenate(truth))


def measured(
    coils: list[Coil], chains: dict[str, Chain], options: argparse.Namespace
) -> dict[str, object]:
    """Return times, tiles and defects of a density."""
    seconds: dict[str, list[float]] = {name: [] for name in chains}
    cpu: dict[str, list[float]] = {name: [] for name in chains}
    found: dict[str, int] = dict.fromkeys(chains, 0)
    planted = tiles = passed = 0
    for coil in coils:
        digests: dict[str, set[str]] = {name: set() for name in chains}
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in chains}
        masks = {}
        for _ in range(options.rounds):
            for name, chain in chains.items():
                took_s, digest, mask, stats = run(chain, coil)
                times[name].append(took_s)
                digests[name].add(digest)
                masks[name] = mask
                if name == "gated":
                    counted = stats
        if any(len(each) > 1 for each in digests.values()):
            raise SystemExit("FAILED: rounds gave different defects")
        gated = chains["gated"]
        if gated.gate is None or not same_where_passed(coil, gated, gated.gate):
            raise SystemExit("FAILED: the gate changes masks of tiles that it passes")
        for name in chains:
            seconds[name].append(min(took_s for took_s, _ in times[name]))
            cpu[name].append(min(cpu_s for _, cpu_s in times[name]))
            found[name] += found_in(coil, masks[name])
        planted += len(coil.strip.planted)
        tiles, passed = tiles + int(counted["tiles"]), passed + int(counted["tiles_passed"])
    mpx = sum(coil.pixels for coil in coils) / 1e6
    return {
        "defective": round(statistics.mean(coil.defective for coil in coils), 4),
        "defects": planted,
        "tiles_passed": round(passed / tiles, 4),
        **{f"{name}_mpx_s": round(mpx / sum(each), 1) for name, each in seconds.items()},
        **{f"{name}_mpx_cpu_s": round(mpx / sum(each), 1) for name, each in cpu.items()},
        "gated_over_whole": round(sum(seconds["whole"]) / sum(seconds["gated"]), 2),
        **{f"{name}_found": count for name, count in found.items()},
    }


Pass = tuple[tuple[float, float], str, NDArray[np.bool_], dict[str, object]]


def run(chain: Chain, coil: Coil) -> Pass:
    """Return seconds by the clock and of all cores, what was found, and the coil's figures."""
    inspector = CoilInspector(
        coil="bench",
        station=chain.station,
        manifest=chain.bundle.manifest,
        engine=chain.engine,
        width_px=coil.strip.spec.width_px,
        gate=chain.gate,
    )
    outcomes = []
    started, started_cpu = time.perf_counter(), time.process_time()
    for block in coil.blocks:
        outcomes.extend(inspector.push(block))
    outcomes.extend(inspector.finish())
    took_s = time.perf_counter() - started, time.process_time() - started_cpu
    defects = [defect for outcome in outcomes for defect in outcome.changes.defects]
    runs = [part for outcome in outcomes for _, part in outcome.changes.runs]
    lines, width = coil.truth.shape
    mask = np.zeros((lines, width), np.bool_)
    if runs:
        mask = mask_of(np.concatenate(runs), first_line=0, lines=lines, width=width) > 0
    digest = hashlib.sha256(repr(defects).encode()).hexdigest()
    return took_s, digest, mask, dict(inspector.stats())


def same_where_passed(coil: Coil, chain: Chain, gate: Gate) -> bool:
    """Return whether gated masks are those of the same tiles without a gate, or background."""
    manifest, width = chain.bundle.manifest, coil.strip.spec.width_px
    grid = tile_grid(chain.station, manifest, width_px=width)
    segmenter = Segmenter(chain.engine, grid, batch=chain.station.inference.batch)
    judges = [Judge(segmenter, grid, gate=gate, gated=gated) for gated in (True, False)]
    builder = BandBuilder(grid)
    bands = [band for block in coil.blocks for band in builder.push(block)]
    bands += builder.flush()
    for start in range(0, len(bands), 16):
        group: list[Band] = bands[start : start + 16]
        pixels = [band.pixels for band in group]
        looks = [judge.look(group, pixels, hurry=False) for judge in judges]
        for band, marks, gated, whole in zip(group, gate.marks(pixels), *looks, strict=True):
            passed = passed_tiles(marks, grid, cell_px=gate.cell_px, core_lines=band.core.lines)
            columns = np.repeat(passed, grid.core_px)[:width]
            if not np.array_equal(gated.mask, np.where(columns, whole.mask, 0)):
                return False
    return True


def found_in(coil: Coil, mask: NDArray[np.bool_]) -> int:
    """Return how many planted defects are covered enough."""
    size = np.bincount(coil.truth.ravel())
    covered = np.bincount(coil.truth[mask], minlength=len(size))
    return int(np.count_nonzero(covered[1:] >= FOUND_SHARE * np.maximum(size[1:], 1)))


def gate_alone(gate: Gate, options: argparse.Namespace) -> float:
    """Return how fast the gate is by itself, in Mpx/s."""
    coil = coil_of(0.0, options, seed=1)
    images = [block.pixels for block in coil.blocks if len(block.pixels) == BLOCK_LINES]
    gate.marks(images)
    times = []
    for _ in range(options.rounds + 2):
        started = time.perf_counter()
        gate.marks(images)
        times.append(time.perf_counter() - started)
    return round(sum(image.size for image in images) / 1e6 / min(times), 1)


def report(
    rows: list[dict[str, object]], gate_mpx_s: float, options: argparse.Namespace
) -> dict[str, object]:
    return {
        "benchmark": "gate",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "opencv": cv2.__version__,
        "coils": f"{options.coils} of {options.length_m:g} m, {options.width_px} px, "
        f"{BLOCK_LINES} lines a block",
        "engine": f"{options.engine} {options.precision or 'as usual'}",
        "tile_px": options.tile_px,
        "rounds": options.rounds,
        "gate_alone_mpx_s": gate_mpx_s,
        "rows": rows,
    }


def print_row(row: dict[str, object]) -> None:
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
