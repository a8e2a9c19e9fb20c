"""A station whose machine gives other masks than its bundle was made with does not start."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.bundle import write_bundle
from stripscan.contract.manifest import Golden, InputSpec
from unit.contract.bundle_samples import draft
from unit.runtime.inspection_samples import metal

pytest.importorskip("onnx", reason="needs the export extra, to make a model")
pytestmark = pytest.mark.export

from unit.runtime.onnx_samples import dark_model


def a_station(folder: Path, *, class_of_golden: int) -> Path:
    """Write a station whose model gives class 2, and whose golden mask has a class."""
    frame = metal(64, 64)
    frame[10:30] = 20
    mask = np.where(frame < 40, class_of_golden, 0)
    files = {
        "model.onnx": dark_model(class_id=2),
        "golden.png": cv2.imencode(".png", frame)[1].tobytes(),
        "golden.mask.png": cv2.imencode(".png", mask)[1].tobytes(),
    }
    golden = Golden(image="golden.png", mask="golden.mask.png", min_agreement=0.995)
    spec = InputSpec(tile_px=64, halo_px=8, mm_per_px=0.5, size_multiple_px=32)
    write_bundle(folder / "bundle", draft(golden=(golden,), input=spec), files)
    (folder / "frames").mkdir()
    assert cv2.imwrite(str(folder / "frames" / "0.png"), metal(80, 128))
    file = folder / "line.toml"
    file.write_text(
        'name = "line 1"\n[coil]\nid = "a"\n[camera]\nmm_per_px = 0.5\nmm_per_line = 0.25\n'
        'strip_edges = "full"\n[bundle]\npath = "bundle"\n[inference]\nthreads = 1\n'
        '[store]\npath = "line.sqlite"\n[source]\nkind = "folder"\npath = "frames"\n',
        encoding="utf-8",
    )
    return file


def stripscan_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stripscan.cli.main", "run", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("check", [["--check"], []])
def test_other_masks_stop_the_run_before_anything_is_written(
    tmp_path: Path, check: list[str]
) -> None:
    answer = stripscan_run(str(a_station(tmp_path, class_of_golden=3)), *check)
    assert answer.returncode == 3, answer.stderr
    told = " ".join(answer.stderr.split())
    assert "gives other masks than" in told
    assert "golden.png, agrees on" in told
    assert not (tmp_path / "line.sqlite").exists()


@pytest.mark.parametrize("check", [["--check"], []])
def test_the_same_masks_let_it_start(tmp_path: Path, check: list[str]) -> None:
    answer = stripscan_run(str(a_station(tmp_path, class_of_golden=2)), *check)
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "line.sqlite").exists() == (not check)
