import json
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import ValidationError

from stripscan.contract.errors import BundleError
from stripscan.contract.manifest import FileRecord, InputSpec, manifest_schema
from stripscan.contract.manifest_file import complete_manifest, manifest_bytes, parse_manifest
from unit.contract.bundle_samples import FILES, draft

SCHEMA_FILE = Path(__file__).parents[3] / "docs/reference/manifest.schema.json"
RECORDS = {name: FileRecord(sha256="a" * 64, size_bytes=len(b)) for name, b in FILES.items()}


def document() -> dict:
    return json.loads(manifest_bytes(complete_manifest(draft(), RECORDS)))


def test_a_manifest_survives_its_file():
    manifest = complete_manifest(draft(), RECORDS)
    raw = manifest_bytes(manifest)
    parsed = parse_manifest(raw)
    assert parsed.model_copy(update={"manifest_sha256": "0" * 64}) == manifest
    assert parsed.variants[0].size_bytes == len(FILES["model.onnx"])
    assert manifest_bytes(parsed) == raw


def test_the_committed_schema_is_current():
    command = [sys.executable, "-W", "error", "-m", "stripscan.contract.manifest"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == manifest_schema()
    told = "run: python -m stripscan.contract.manifest > docs/reference/manifest.schema.json"
    assert SCHEMA_FILE.read_text(encoding="utf-8") == printed, told


def test_a_newer_schema_asks_for_an_upgrade():
    newer = {**document(), "schema_version": 2, "something": "new"}
    with pytest.raises(BundleError, match=r"schema version 2.*upgrade stripscan"):
        parse_manifest(json.dumps(newer).encode())


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "not readable as JSON"),
        (b"{", "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (b"[" * 100_000, "not readable as JSON"),
        (b"[]", "not valid"),
        (b'{"name": "a", "name": "b"}', "a key occurs twice"),
        (b'{"schema_version": 1}', "name: Field required.*and .* more"),
    ],
)
def test_what_is_no_manifest_is_a_bundle_error(raw, told):
    with pytest.raises(BundleError, match=told):
        parse_manifest(raw)


def spoilt(path: str, value: object) -> bytes:
    fields = document()
    target = fields
    *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for parent in parents:
        target = target[parent]
    target[last] = value
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("surprise", 1, "surprise: Extra inputs"),
        ("schema_version", 0, "schema_version"),
        ("created", "2026-01-31T12:00:00", "created"),
        ("created", "2026-01-31T12:00:00+01:00", "must be in UTC"),
        ("classes", [], "classes"),
        ("classes.0.id", 0, "classes.0.id"),
        ("classes.0.id", 256, "classes.0.id"),
        ("classes.0.id", 2, "class id 2 occurs twice"),
        ("classes.0.id", "1", "valid integer"),
        ("classes.0.name", "patches", "class name patches occurs twice"),
        ("classes.0.colour", "red", "classes.0.colour"),
        ("thresholds", {"crazing": 0.5}, "thresholds and classes .* see inclusion"),
        ("thresholds.crazing", 1.5, "thresholds.crazing"),
        ("thresholds.crazing", float("nan"), "thresholds.crazing"),
        ("thresholds.dent", 0.5, "thresholds and classes .* see dent"),
        ("min_area_px.crazing", -1, "min_area_px.crazing"),
        ("min_area_px", {}, "min_area_px and classes"),
        ("input.tile_px", 250, "make it a multiple of 32 px"),
        ("input.halo_px", 128, "from 0 to 127 px"),
        ("input.mm_per_px", 0, "mm_per_px"),
        ("variants", [], "variants"),
        ("variants.0.file", "other.onnx", "other.onnx is not among the files"),
        ("variants.0.file", "../model.onnx", "no safe file name"),
        ("variants.0.sha256", "b" * 64, "disagree about model.onnx"),
        ("variants.0.size_bytes", 1, "disagree about model.onnx"),
        ("variants.0.engine", "pickle", "variants.0.engine"),
        ("golden.0.mask", "gone.png", "gone.png is not among the files"),
        ("files./etc/passwd", {"sha256": "a" * 64, "size_bytes": 1}, "no safe file name"),
        ("files.MODEL", {"sha256": "A" * 64, "size_bytes": 1}, "files.MODEL.sha256"),
        ("files.golden", {"sha256": "a" * 64, "size_bytes": 1}, "is a file and a folder"),
        ("evaluation.dice", 1.01, "evaluation.dice"),
        ("evaluation.accuracy", 1.0, "evaluation.accuracy"),
        ("name", "another", "does not fit its own manifest_sha256"),
        ("manifest_sha256", "0" * 64, "does not fit its own manifest_sha256"),
    ],
)
def test_a_wrong_field_is_named(path, value, told):
    with pytest.raises(BundleError) as caught:
        parse_manifest(spoilt(path, value))
    assert re.search(told, str(caught.value))


def test_a_manifest_listing_itself_is_refused():
    records = {**RECORDS, "manifest.json": FileRecord(sha256="a" * 64, size_bytes=1)}
    with pytest.raises(BundleError, match="cannot list itself"):
        complete_manifest(draft(), records)


def test_two_variants_for_the_same_engine_and_precision_are_refused():
    with pytest.raises(ValidationError, match="variant onnx fp32 any occurs twice"):
        draft(variants=draft().variants * 2)


def test_a_model_that_needs_larger_multiples_limits_the_tile():
    with pytest.raises(ValidationError, match="multiple of 64 px"):
        InputSpec(tile_px=96, halo_px=0, mm_per_px=0.3, size_multiple_px=64)


def test_local_time_is_refused():
    with pytest.raises(ValidationError, match="must be in UTC"):
        draft(created=datetime(2026, 1, 31, tzinfo=timezone(timedelta(hours=1))))


def test_a_record_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        draft().name = "other"
