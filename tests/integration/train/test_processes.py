"""Several processes train one network: here two on the CPU, on a cluster one for each GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("albumentations")

from integration.train.train_scores import validation_dice
from stripscan.dataset.split import Split, write_split
from stripscan.train.checkpoint import load_checkpoint
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
STRIPSCAN = ("-m", "stripscan.cli.main", "train")


def test_two_processes_train_one_network(data: Path, split: Split, tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_text(tiny_config().model_dump_json())
    write_split(tmp_path / "split.json", split)
    where = ["--accelerator", "cpu", "--config", "tiny.json", "--data", str(data)]
    done = subprocess.run(
        [sys.executable, *TORCHRUN, *STRIPSCAN, *where, "--split", "split.json", "--out", "run"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "run/checkpoint.safetensors\n", "one of them tells the result"
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + 2
    best = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    assert best.facts["processes"] == 2
    assert best.facts["val_dice"] == pytest.approx(validation_dice(best, data, split), abs=1e-4)
