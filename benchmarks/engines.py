"""Latency of every engine that this machine has, beside plain PyTorch, in one run.

Each engine runs the default bundle's file for it on the same tiles of a simulated strip, in turn,
call by call. While it times it checks: masks must agree with those of ONNX Runtime in single
precision on the CPU. PyTorch runs the network of the same recipe, eagerly and compiled, in half
precision on a GPU; its weights are random, as a bundle has none for it, and only its time counts.
What this machine cannot run is listed with the reason.

    python benchmarks/engines.py --out benchmarks/reports/engines.json
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stripscan.contract.bundle import open_bundle
from stripscan.contract.errors import StripscanError
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.engines.choice import EngineChoice, open_engine
from stripscan.simulation.tiles import sample_tile

try:
    import torch

    from stripscan.export.graph import DeployedGraph
    from stripscan.train.models import build_model
    from stripscan.train.recipes import recipe
except ImportError:
    torch = None

Tiles = NDArray[np.uint8]
Infer = Callable[[Tiles], object]

RECIPE = "strip-small"
TILE_PX = 256
BATCHES = (1, 8, 32)
ENGINES = ("onnx", "openvino", "onnx-cuda", "onnx-tensorrt", "tensorrt")
PRECISIONS = {"onnx": ("fp32", "int8"), "openvino": ("fp32", "int8")}
ON_GPU = ("fp16", "int8")
LEAST_AGREEMENT = {"fp32": 0.999, "fp16": 0.998, "int8": 0.99}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(7)
    tiles = np.stack([sample_tile(rng, TILE_PX)[0] for _ in range(max(BATCHES))])

    engines, agreement, missing = bundle_engines(tiles)
    for name, infer in engines.items():
        precision = name.split()[1]
        if agreement[name] < LEAST_AGREEMENT[precision]:
            print(f"FAILED: {name} agrees on {agreement[name]:.2%} of the pixels", file=sys.stderr)
            return 1
        infer(tiles)
    engines |= torch_networks(missing, compiled=not options.no_compile)
    times = {batch: timed(engines, tiles[:batch], options.rounds) for batch in BATCHES}
    record = report(times, agreement, missing, options.rounds)
    print_table(record)
    if options.out:
        options.out.write_text(json.dumps(record, indent=2) + "\n")
    return 0


def bundle_engines(tiles: Tiles) -> tuple[dict[str, Infer], dict[str, float], dict[str, str]]:
    """Return what runs, the share of pixels where its masks agree, and why the rest does not."""
    bundle = open_bundle(default_bundle_path())
    engines: dict[str, Infer] = {}
    agreement: dict[str, float] = {}
    missing: dict[str, str] = {}
    wanted: Tiles | None = None
    for engine in ENGINES:
        for precision in PRECISIONS.get(engine, ON_GPU):
            name = f"{engine} {precision}"
            choice = EngineChoice(engine=engine, precision=precision, batch=max(BATCHES))
            try:
                opened = open_engine(bundle, choice)
                masks = opened.infer(tiles)[0]
            except StripscanError as error:
                missing[name] = str(error)
                continue
            wanted = masks if wanted is None else wanted
            engines[name] = opened.infer
            agreement[name] = float(np.mean(masks == wanted))
    return engines, agreement, missing


def torch_networks(missing: dict[str, str], *, compiled: bool) -> dict[str, Infer]:
    """Return the recipe's network as a user of PyTorch would run it, ready to be timed."""
    if torch is None:
        missing["torch"] = "it is not installed: pip install 'stripscan[export]'"
        return {}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind, dtype = ("fp16", torch.float16) if device == "cuda" else ("fp32", torch.float32)
    network = build_model(recipe(RECIPE).model, classes=6).eval()
    graph = DeployedGraph(network, mean=0.45, std=0.2, thresholds=[0.5] * 6).eval().to(device)
    ways = {f"torch {kind}": graph}
    if compiled:
        ways[f"torch.compile {kind}"] = torch.compile(graph)

    def runner(way: Callable[[object], tuple[object, ...]]) -> Infer:
        def infer(tiles: Tiles) -> object:
            with torch.inference_mode(), torch.autocast(device, dtype, enabled=device == "cuda"):
                return [part.cpu() for part in way(torch.from_numpy(tiles).to(device))[:2]]

        return infer

    return {name: runner(way) for name, way in ways.items()}


def timed(engines: dict[str, Infer], tiles: Tiles, rounds: int) -> dict[str, list[float]]:
    """Return the times of calls in ms; engines take turns, so that all meet the same load."""
    for infer in engines.values():  # compiles, captures, and warms what depends on the batch
        infer(tiles)
        infer(tiles)
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, infer in engines.items():
            started = time.perf_counter()
            infer(tiles)
            times[name].append((time.perf_counter() - started) * 1000)
    return times


def report(
    times: dict[int, dict[str, list[float]]],
    agreement: dict[str, float],
    missing: dict[str, str],
    rounds: int,
) -> dict[str, object]:
    rows = []
    for batch, of_engines in times.items():
        for name, ms in of_engines.items():
            p50 = statistics.median(ms)
            rows.append(
                {
                    "engine": name,
                    "batch": batch,
                    "p50_ms": round(p50, 2),
                    "p99_ms": round(float(np.percentile(ms, 99)), 2),
                    "mpx_s": round(batch * TILE_PX**2 / p50 / 1000, 2),
                    "of_onnx_fp32": round(
                        statistics.median(
                            a / b for a, b in zip(of_engines["onnx fp32"], ms, strict=True)
                        ),
                        2,
                    ),
                }
            )
    return {
        "benchmark": "engines",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {gpu()}",
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "torch": torch.__version__ if torch else None,
        "tiles": f"{TILE_PX} px, simulated, recipe {RECIPE}",
        "rounds": rounds,
        "agreement": {name: round(share, 5) for name, share in agreement.items()},
        "rows": rows,
        "not_run": missing,
    }


def gpu() -> str:
    if torch is None:
        return "GPU unknown"
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"


def print_table(record: dict[str, object]) -> None:
    rows = record.pop("rows")
    not_run = record.pop("not_run")
    for name, value in record.items():
        print(f"{name:<12}  {value}")
    print(f"\n{'engine':<22}{'batch':>6}{'P50 ms':>9}{'P99 ms':>9}{'Mpx/s':>8}{'of onnx fp32':>14}")
    for row in rows:
        engine, *figures = row.values()
        print("{:<22}{:>6}{:>9}{:>9}{:>8}{:>14}".format(engine, *figures))
    for name, reason in not_run.items():
        print(f"not run: {name}: {reason.splitlines()[0]}")
    record |= {"rows": rows, "not_run": not_run}


if __name__ == "__main__":
    sys.exit(main())
