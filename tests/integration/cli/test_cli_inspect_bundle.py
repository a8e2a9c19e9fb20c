"""What a bundle holds, for a person in one screen and for a program as JSON."""

import json
from pathlib import Path

from integration.cli.program import fine, refused, run
from stripscan.contract.bundle import open_bundle, sign_bundle, write_bundle
from stripscan.contract.manifest import Calibration, VariantScores
from stripscan.runtime.daemon import default_bundle_path
from unit.contract.bundle_samples import FILES, draft
from unit.contract.key_samples import MILL, MILL_ID

WIDE, HIGH = 100, 50


def shown(path: Path | str, folder: Path) -> str:
    return fine(run("inspect", path, cwd=folder, env={"COLUMNS": str(WIDE)}))


def row(text: str, *start: str) -> list[str]:
    """Return the cells of the first table row that begins with these cells."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    return next(cells for cells in rows if cells[: len(start)] == list(start))


def test_the_default_bundle_fits_one_screen(tmp_path: Path) -> None:
    text = shown("default", tmp_path)
    assert len(text.splitlines()) <= HIGH
    assert max(map(len, text.splitlines())) <= WIDE
    manifest = open_bundle(default_bundle_path()).manifest
    assert manifest.name in text
    for kind in manifest.classes:
        cells = row(text, str(kind.id), kind.name)
        assert cells[3:5] == [
            f"{manifest.thresholds[kind.name]:g}",
            str(manifest.min_area_px[kind.name]),
        ]
    assert "miou_pixel" in text


def test_each_variant_has_a_row(tmp_path: Path) -> None:
    fp32 = draft().variants[0]
    int8 = fp32.model_copy(
        update={
            "precision": "int8",
            "runs_on": "cpu",
            "file": "int8.onnx",
            "parity": fp32.parity.model_copy(
                update={"mask_agreement": 0.98765, "defects_missed": 2, "defects_invented": 3}
            ),
            "scores": VariantScores(
                dice_pixel=0.8, miou_pixel=0.6789, detection_rate=0.875, iou={}, n_images=10
            ),
            "calibration": Calibration(tiles=512, digest="a" * 64, seed=1),
            "kept_float": ("head", "stem"),
        }
    )
    openvino = fp32.model_copy(
        update={"engine": "openvino", "file": "m.xml", "weights": "m.bin", "parity": None}
    )
    files = {**FILES, "int8.onnx": bytes(10_000), "m.xml": b"<xml/>", "m.bin": bytes(1_000_000)}
    write_bundle(tmp_path / "neu", draft(variants=(fp32, int8, openvino)), files)

    text = shown("neu", tmp_path)

    assert row(text, "onnx fp32")[1:5] == ["any", "0.00", "passed", "100.00%"]
    assert row(text, "onnx int8")[1:] == [
        *("cpu", "0.01", "passed", "98.77%", "+3 -2", "0.679", "0.875", "512", "2"),
    ]
    assert row(text, "openvino fp32")[1:5] == ["any", "1.00", "none", "–"]
    assert max(map(len, text.splitlines())) <= WIDE


def test_the_signature_is_named_and_not_vouched_for(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "neu.zip", draft(), FILES).path
    assert "signature" in shown(path, tmp_path)
    assert MILL_ID not in shown(path, tmp_path)
    sign_bundle(path, MILL)
    assert f"names key {MILL_ID}; not checked here" in shown(path, tmp_path)


def test_json_has_everything(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "neu", draft(), FILES).path
    signed = sign_bundle(path, MILL)
    told = json.loads(fine(run("inspect", "neu", "--json", cwd=tmp_path)))
    assert told["manifest"] == json.loads((path / "manifest.json").read_text())
    assert told["digest"] == signed.digest
    assert told["files"] == 3
    assert told["size_bytes"] == sum(map(len, FILES.values()))
    assert told["signature"] == {"key_id": MILL_ID, "checked": False}


def test_a_bundle_without_figures_is_shown_too(tmp_path: Path) -> None:
    write_bundle(tmp_path / "neu", draft(evaluation=None, golden=()), FILES)
    text = shown("neu", tmp_path)
    assert "none: it was exported without --data and --split" in text
    assert "golden frames  none" in text


def test_a_manifest_cannot_command_the_terminal(tmp_path: Path) -> None:
    write_bundle(tmp_path / "neu", draft(name="\x1b[2J[bold]neu[/bold]"), FILES)
    text = shown("neu", tmp_path)
    assert "\x1b" not in text
    assert "[bold]neu[/bold]" in text


def test_a_damaged_bundle_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "neu", draft(), FILES)
    (tmp_path / "neu/model.onnx").write_bytes(bytes(256))
    assert "model.onnx has sha256" in refused(run("inspect", "neu", cwd=tmp_path), 2)
