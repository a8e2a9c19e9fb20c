"""A small bundle that is right in every way, for tests to spoil."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stripscan.contract.bundle import open_bundle
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import BundleError
from stripscan.contract.manifest import (
    ClassEntry,
    Evaluation,
    Golden,
    InputSpec,
    ManifestDraft,
    ParityReport,
    Provenance,
    VariantDraft,
)

FILES = {
    "golden/frame-1.png": b"a frame",
    "golden/frame-1.mask.png": b"its mask",
    "model.onnx": bytes(range(256)),
}

FORMS = ["neu.zip", "neu"]


def draft(**changes: object) -> ManifestDraft:
    fields: dict[str, object] = {
        "name": "neu-small",
        "created": datetime(2026, 1, 31, 12, tzinfo=UTC),
        "stripscan_version": "0.1.0",
        "classes": tuple(
            ClassEntry(id=c.id, name=c.name, title=c.title, colour=c.colour, severity=c.severity)
            for c in NEU_CLASSES
        ),
        "input": InputSpec(tile_px=256, halo_px=32, mm_per_px=0.3, size_multiple_px=32),
        "thresholds": {c.name: 0.5 for c in NEU_CLASSES},
        "min_area_px": {c.name: 20 for c in NEU_CLASSES},
        "variants": (
            VariantDraft(
                engine="onnx",
                precision="fp32",
                file="model.onnx",
                batch="dynamic",
                parity=ParityReport(
                    tiles=8,
                    max_abs_logit_error=1e-5,
                    logit_scale=12.5,
                    mask_agreement=1.0,
                    per_class_iou={"crazing": None, "scratches": 1.0},
                    passed=True,
                    seed=0,
                ),
            ),
        ),
        "evaluation": Evaluation(
            dice=0.8,
            per_class={"scratches": {"dice": 0.8, "n_images": 12}},
            n_images=30,
            n_images_boxes=20,
            n_images_pixel=10,
        ),
        "provenance": Provenance(
            recipe="neu-small",
            data_digest="d1",
            split_digest="s1",
            seed=0,
            versions={"torch": "2.6"},
            epochs=30,
            command="stripscan train neu-small",
        ),
        "golden": (
            Golden(image="golden/frame-1.png", mask="golden/frame-1.mask.png", min_agreement=0.999),
        ),
    }
    return ManifestDraft(**{**fields, **changes})


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        open_bundle(path)
    assert str(path) in str(caught.value)
    return str(caught.value)
