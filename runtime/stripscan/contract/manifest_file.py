"""``manifest.json`` as bytes: written sealed with its own hash, read with every check."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from stripscan.contract.errors import BundleError
from stripscan.contract.manifest import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    UNSEALED,
    FileRecord,
    Manifest,
    ManifestDraft,
    Variant,
)
from stripscan.contract.manifest_gate import GateEntry


def complete_manifest(draft: ManifestDraft, files: Mapping[str, FileRecord]) -> Manifest:
    """Return the manifest of a draft whose files are known.

    Raises:
        BundleError: A variant or golden frame is not among the files, or a name is unsafe.
    """
    fields = {name: getattr(draft, name) for name in ManifestDraft.model_fields}
    try:
        if missing := [v.file for v in draft.variants if v.file not in files]:
            raise BundleError(f"the model {missing[0]} is not among the files: add it")
        fields["variants"] = tuple(
            Variant(**{**dict(v), **dict(files[v.file])}) for v in draft.variants
        )
        if draft.gate is not None:
            if draft.gate.file not in files:
                raise BundleError(f"the gate {draft.gate.file} is not among the files: add it")
            fields["gate"] = GateEntry(**{**dict(draft.gate), **dict(files[draft.gate.file])})
        return Manifest(**fields, files=files)
    except ValidationError as error:
        raise BundleError(_explain(error)) from error


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return ``manifest.json``: UTF-8 JSON, sealed with its own sha256."""
    text = manifest.model_copy(update={"manifest_sha256": UNSEALED}).model_dump_json(indent=2)
    unsealed = text.encode() + b"\n"
    return unsealed.replace(_seal(UNSEALED), _seal(hashlib.sha256(unsealed).hexdigest()), 1)


def parse_manifest(raw: bytes) -> Manifest:
    """Return the manifest in the bytes of ``manifest.json``.

    Raises:
        BundleError: It is not JSON, of a newer schema, incomplete, contradictory, or its seal
            does not fit.
    """
    try:
        document = json.loads(raw, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{MANIFEST_NAME} is not readable as JSON ({error}): copy the bundle again"
        ) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BundleError(
            f"{MANIFEST_NAME} has schema version {version}, this stripscan reads up to "
            f"{SCHEMA_VERSION}: upgrade stripscan with pip install -U stripscan"
        )
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as error:
        raise BundleError(f"{MANIFEST_NAME} is not valid: {_explain(error)}") from error
    unsealed = raw.replace(_seal(manifest.manifest_sha256), _seal(UNSEALED), 1)
    if hashlib.sha256(unsealed).hexdigest() != manifest.manifest_sha256:
        raise BundleError(
            f"{MANIFEST_NAME} does not fit its own manifest_sha256: it was changed or damaged; "
            "copy the bundle again, or export it anew to change it"
        )
    return manifest


def _seal(digest: str) -> bytes:
    return f'"manifest_sha256": "{digest}"'.encode()


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key occurs twice")
    return fields


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False)
    told = [
        f"{'.'.join(map(str, p['loc']))}: {p['msg']}".removeprefix(": ").replace(
            "Value error, ", ""
        )
        for p in problems[:3]
    ]
    more = len(problems) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")
