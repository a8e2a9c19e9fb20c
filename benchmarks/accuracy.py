"""Accuracy against cost of trained networks, on one leak-free test split.

Scores the checkpoint of each run folder with ``stripscan eval`` (masks and box head, intervals by
source image, false alarms on clean metal, and the copy-nearest-mask baseline once), and times each
exported network in turn on one thread of ONNX Runtime. Every run must have learned from the same
split. Before a network is timed, its exported masks are held against those of its checkpoint.

    python benchmarks/accuracy.py --data /path/to/neu --split split.json RUN... \\
        --out benchmarks/reports/accuracy.json
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from stripscan.export.graph import deployed_graph
from stripscan.export.onnx_file import export_onnx, without_logits
from stripscan.runtime.engines.onnxruntime import OnnxEngine
from stripscan.simulation.tiles import sample_tile
from stripscan.train.checkpoint import Checkpoint, load_checkpoint
from stripscan.train.models import gflop, parameters_m

CHECKPOINT = "checkpoint.safetensors"
TILE_PX = 256
LEAST_AGREEMENT = 0.999


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--clean-m2", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--reuse",
        action="store_true",
        help="take RUN/scores.json, as 'eval --json' wrote it after training, where there is one",
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    checkpoints = {
        run.name: load_checkpoint(run / "checkpoint.safetensors") for run in options.runs
    }
    times_ms = cpu_ms({n: engine_of(n, c) for n, c in checkpoints.items()}, options.rounds)
    rows = []
    baseline: dict[str, Any] | None = None
    for run in options.runs:
        scores = score(run, options, baseline=baseline is None)
        baseline = scores.pop("baseline") or baseline
        rows.append(row(run.name, checkpoints[run.name], times_ms[run.name], scores))
    record = {
        "benchmark": "accuracy",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "split_digest": checkpoints[options.runs[0].name].facts["split_digest"],
        "rows": rows,
        "copy_nearest_mask": baseline,
    }
    if options.out:
        options.out.write_text(json.dumps(record, indent=1) + "\n")
    print(table(record))
    return 0


def engine_of(name: str, checkpoint: Checkpoint) -> OnnxEngine:
    """Export a checkpoint, and check that the file gives its masks."""
    graph = deployed_graph(checkpoint)
    model = without_logits(export_onnx(graph, tile_px=TILE_PX))
    engine = OnnxEngine(model.SerializeToString(), threads=1)
    rng = np.random.default_rng(0)
    tiles = np.stack([sample_tile(rng, TILE_PX)[0] for _ in range(8)])
    with torch.inference_mode():
        expected = graph(torch.from_numpy(tiles))[0].numpy()
    agreement = float(np.mean(engine.infer(tiles)[0] == expected))
    if agreement < LEAST_AGREEMENT:
        raise SystemExit(f"{name}: the export agrees on {agreement:.4%} of the pixels only")
    return engine


def cpu_ms(engines: dict[str, OnnxEngine], rounds: int) -> dict[str, float]:
    """Return the median time for one tile, the engines in turn so that noise hits all alike."""
    rng = np.random.default_rng(1)
    tile = sample_tile(rng, TILE_PX)[0][None]
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds + 1):
        for name, engine in engines.items():
            started = time.perf_counter()
            engine.infer(tile)
            times[name].append(1000 * (time.perf_counter() - started))
    return {name: statistics.median(of_one[1:]) for name, of_one in times.items()}


def score(run: Path, options: argparse.Namespace, *, baseline: bool) -> dict[str, Any]:
    known = run / "scores.json"
    if options.reuse and known.exists():
        if known.stat().st_mtime < (run / CHECKPOINT).stat().st_mtime:
            raise SystemExit(f"{known} is older than the checkpoint: score it again")
        before: dict[str, Any] = json.loads(known.read_bytes())
        return before
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "scores.json"
        command = [sys.executable, "-m", "stripscan.cli.main", "eval"]
        command += ["--checkpoint", str(run / CHECKPOINT)]
        command += ["--data", str(options.data), "--split", str(options.split)]
        command += ["--clean-m2", str(options.clean_m2), "--json", str(out)]
        command += ["--baseline"] if baseline else []
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        content: dict[str, Any] = json.loads(out.read_bytes())
        return content


def row(
    name: str, checkpoint: Checkpoint, tile_ms: float, scores: dict[str, Any]
) -> dict[str, Any]:
    deployed = checkpoint.build()  # without the box head
    return {
        "run": name,
        "recipe": checkpoint.config.recipe,
        "parameters_m": round(parameters_m(deployed), 4),
        "gflop_256": round(gflop(deployed), 4),
        "cpu_ms_256": round(tile_ms, 2),
        "epochs": checkpoint.config.epochs,
        "best_epoch": checkpoint.facts["epoch"],
        "config": settings(checkpoint),
        "scores": scores,
    }


def settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the configuration without the folders of the machine it ran on."""
    config = checkpoint.config.model_dump(mode="json", exclude={"classes", "teacher"})
    if checkpoint.config.start is not None:
        config["start"] = checkpoint.config.start.parent.name
    if checkpoint.config.teacher is not None:
        config["teacher"] = checkpoint.config.teacher.checkpoint.parent.name
    return config


def figure(scores: dict[str, Any], name: str) -> str:
    low, high = scores["intervals"].get(name, (None, None))
    value = scores[name]
    if value is None:
        return "–"
    return f"{value:.3f}" + (f" ({low:.3f}–{high:.3f})" if low is not None else "")


def table(record: dict[str, Any]) -> str:
    """Return the rows as a Markdown table."""
    head = (
        "recipe",
        "epochs",
        "M parameters",
        "GFLOP",
        "CPU ms",
        "Dice, boxes",
        "Dice, pixels",
        "mIoU, pixels",
        "defects found",
        "right class",
        "false alarms per m²",
    )
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for entry in record["rows"]:
        scores = entry["scores"]
        alarms = scores["false_alarms"]["simulated_metal"]
        cells = (
            f"`{entry['recipe']}`",
            str(entry["epochs"]),
            f"{entry['parameters_m']:.2f}",
            f"{entry['gflop_256']:.2f}",
            f"{entry['cpu_ms_256']:.1f}",
            *(
                figure(scores, name)
                for name in (
                    "dice",
                    "dice_pixel",
                    "miou_pixel",
                    "detection_rate",
                    "classification_rate",
                )
            ),
            f"{alarms['per_m2']:.2f} ({alarms['low']:.2f}–{alarms['high']:.2f})",
        )
        lines.append(f"| {' | '.join(cells)} |")
    copied = record["copy_nearest_mask"]
    if copied:
        names = ("dice", "dice_pixel", "miou_pixel", "detection_rate", "classification_rate")
        cells = ("copy the nearest mask", "–", "–", "–", "–")
        lines.append(f"| {' | '.join((*cells, *(figure(copied, n) for n in names), '–'))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
