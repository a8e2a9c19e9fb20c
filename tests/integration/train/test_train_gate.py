"""From a segmenter to a bundle with a gate, by the commands."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("albumentations")

import torch

from stripscan.contract.bundle import open_bundle
from stripscan.contract.errors import DataError, StoreError
from stripscan.dataset.split import Split
from stripscan.export.gate_command import add_gate
from stripscan.runtime.golden import require_gate_golden
from stripscan.runtime.station import Station
from stripscan.runtime.station_model import station_gate
from stripscan.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from stripscan.train.gate_file import load_gate
from stripscan.train.gate_net import GateConfig
from stripscan.train.gate_run import train_gate
from stripscan.train.models import build_model
from unit.runtime.test_gate import bundle_in
from unit.train.train_samples import tiny_config

pytestmark = [pytest.mark.train, pytest.mark.export]


def a_segmenter(path: Path) -> Path:
    torch.manual_seed(5)
    config = tiny_config()
    model = build_model(config.model, classes=6, box_head=config.box_head)
    thresholds = dict.fromkeys(config.classes, 0.4)
    save_checkpoint(
        Checkpoint(config=config, state=model.state_dict(), thresholds=thresholds, facts={}), path
    )
    return path


def test_a_gate_is_trained_and_put_into_a_bundle(data: Path, split: Split, tmp_path: Path) -> None:
    segmenter, run = a_segmenter(tmp_path / "checkpoint.safetensors"), tmp_path / "run"
    config = GateConfig(epochs=1, variants=1, clean_m2=0.05)
    command = "stripscan train-gate checkpoint.safetensors"

    def train() -> None:
        train_gate(
            load_checkpoint(segmenter),
            config,
            data=data,
            split=split,
            out=run,
            command=command,
            on_step=lambda _: None,
        )

    train()
    gate = load_gate(run / "gate.safetensors")
    assert gate.validation.share_passed >= gate.config.passed
    assert (gate.command, gate.config) == (command, config)
    before = bundle_in(tmp_path, None)
    out = tmp_path / "gated.zip"
    add_gate(str(before.path), run / "gate.safetensors", out)
    after = open_bundle(out)
    entry = after.manifest.gate
    assert entry is not None
    assert entry.report is not None
    assert entry.report.defects == gate.test.defects
    assert set(entry.golden) == {"frame.png"}
    assert after.manifest.variants == before.manifest.variants
    assert set(after.manifest.files) == {*before.manifest.files, "gate.onnx"}
    station = Station.model_validate(
        {
            "name": "line 1",
            "camera": {"mm_per_px": 0.5, "mm_per_line": 0.5},
            "source": {"kind": "simulator"},
            "inference": {"gate": True, "threads": 1},
        }
    )
    running = station_gate(station, after)
    require_gate_golden(running, after)
    running.close()
    with pytest.raises(StoreError, match="a new folder for the run cannot be made"):
        train()


def test_a_checkpoint_is_no_gate(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no gate of 'stripscan train-gate'"):
        load_gate(a_segmenter(tmp_path / "checkpoint.safetensors"))
