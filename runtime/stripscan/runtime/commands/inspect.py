"""``stripscan inspect``: what is in a bundle, in one screen."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from stripscan.contract.bundle import Bundle, open_bundle
from stripscan.contract.manifest import (
    Evaluation,
    Golden,
    Manifest,
    ParityReport,
    Provenance,
    Variant,
    VariantScores,
)
from stripscan.contract.manifest_gate import GateEntry
from stripscan.runtime.commands.predict import bundle_path
from stripscan.terminal.console import results

_HEADLINES: Final = (
    "miou_pixel",
    "dice_pixel",
    "detection_rate",
    "classification_rate",
    "defect_precision",
    "ece",
)
_ABSENT: Final = "–"


def inspect(
    bundle: Annotated[str, typer.Argument(help="A bundle, or 'default'.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything, with the whole manifest, as JSON.")
    ] = False,
) -> None:
    """Show what is in a bundle: every file is checked by its hash, a signature is only named."""
    opened = open_bundle(bundle_path(bundle))
    if as_json:
        text = json.dumps(contents_of(opened), indent=2)
        results.print(text, markup=False, soft_wrap=True)
        return
    for table in (_facts(opened), _classes(opened.manifest), _variants(opened.manifest)):
        results.print(table)


def contents_of(bundle: Bundle) -> dict[str, Any]:
    """Return what is in a bundle as JSON values; keys are documented in reference/cli.md."""
    signature = bundle.signature
    return {
        "path": str(bundle.path),
        "digest": bundle.digest,
        "files": len(bundle.manifest.files),
        "size_bytes": _size_bytes(bundle.manifest),
        "signature": {"key_id": signature.key_id, "checked": False} if signature else None,
        "manifest": bundle.manifest.model_dump(mode="json"),
    }


def _facts(bundle: Bundle) -> Table:
    manifest = bundle.manifest
    fed = manifest.input
    facts = {
        "bundle": f"{manifest.name}, made {manifest.created:%Y-%m-%d %H:%M} UTC by stripscan "
        f"{manifest.stripscan_version}",
        "path": f"{bundle.path}, {len(manifest.files)} files, {_mb(_size_bytes(manifest))}",
        "digest": bundle.digest,
        "signature": _signature(bundle),
        "input": f"tiles of {fed.tile_px} px, {fed.halo_px} px of them context on each side, "
        f"multiples of {fed.size_multiple_px} px; {fed.mm_per_px:g} mm per px",
        **_provenance(manifest.provenance),
        "golden frames": _golden(manifest.golden),
        "gate": _gate(manifest.gate),
        **_figures(manifest.evaluation),
    }
    table = Table.grid(padding=(0, 2))
    for title, fact in facts.items():
        table.add_row(title, _plain(fact))
    return table


def _signature(bundle: Bundle) -> str:
    if bundle.signature is None:
        return "none"
    return (
        f"names key {bundle.signature.key_id}; not checked here: stripscan bundle verify --key PUB"
    )


def _provenance(made: Provenance) -> dict[str, str]:
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    return {
        "recipe": f"{made.recipe}, seed {made.seed}, epoch {made.epochs}; "
        f"data {made.data_digest}, split {made.split_digest}",
        "made with": versions or _ABSENT,
        "command": made.command or _ABSENT,
    }


def _golden(frames: tuple[Golden, ...]) -> str:
    if not frames:
        return "none"
    least = min(frame.min_agreement for frame in frames)
    return f"{len(frames)}, of which {least:.1%} of the pixels must agree"


def _gate(gate: GateEntry | None) -> str:
    if gate is None:
        return "none"
    told = f"{gate.file}, {_mb(gate.size_bytes)}, cells of {gate.cell_px} px"
    report = gate.report
    if report is None:
        return told
    return (
        f"{told}; passes {sum(report.passed.values())} of {sum(report.defects.values())} defects "
        f"that the model finds, and {report.clean_marked:.2%} of clean tiles"
    )


def _figures(scored: Evaluation | None) -> dict[str, str]:
    if scored is None:
        return {"evaluation": "none: it was exported without --data and --split"}
    sources = f" of {scored.n_sources} sources" if scored.n_sources is not None else ""
    told = []
    for name in _HEADLINES:
        value: float | None = getattr(scored, name)
        if value is not None:
            low, high = scored.intervals.get(name, (None, None))
            spread = f" ({low:.3f}–{high:.3f})" if low is not None else ""
            told.append(f"{name} {value:.3f}{spread}")
    alarms = [
        f"{rate['per_m2']:.2f} per m² on {where.replace('_', ' ')}"
        for where, rate in scored.false_alarms.items()
        if "per_m2" in rate
    ]
    return {
        "evaluation": f"{scored.n_images} images{sources}: {', '.join(told) or 'no figures'}",
        "false alarms": ", ".join(alarms) or _ABSENT,
    }


def _classes(manifest: Manifest) -> Table:
    table = Table("id", "class", "severity")
    for column in ("threshold", "min px", "min mm²", "dice", "iou", "images"):
        table.add_column(column, justify="right")
    scored = manifest.evaluation.per_class if manifest.evaluation else {}
    mm2_per_px = manifest.input.mm_per_px**2
    for kind in manifest.classes:
        least_px, row = manifest.min_area_px[kind.name], scored.get(kind.name, {})
        table.add_row(
            str(kind.id),
            _plain(kind.name),
            str(kind.severity),
            f"{manifest.thresholds[kind.name]:g}",
            str(least_px),
            f"{least_px * mm2_per_px:.1f}",
            *(_number(row.get(name)) for name in ("dice", "iou")),
            _plain(row.get("n_images", _ABSENT)),
        )
    return table


def _variants(manifest: Manifest) -> Table:
    table = Table("variant", "on")
    table.add_column("MB", justify="right")
    table.add_column("parity")
    for column in ("same px", "defects", "mIoU", "found", "int8 tiles", "float"):
        table.add_column(column, justify="right")
    for variant in manifest.variants:
        table.add_row(
            f"{variant.engine} {variant.precision}",
            variant.runs_on,
            f"{sum(manifest.files[n].size_bytes for n in _files_of(variant)) / 1e6:.2f}",
            *_parity(variant.parity),
            *_scores(variant.scores),
            str(variant.calibration.tiles) if variant.calibration else _ABSENT,
            str(len(variant.kept_float)) if variant.precision == "int8" else _ABSENT,
        )
    return table


def _files_of(variant: Variant) -> Iterator[str]:
    yield variant.file
    if variant.weights is not None:
        yield variant.weights


def _parity(report: ParityReport | None) -> tuple[str, str, str]:
    """Return the verdict, the share of equal pixels, and the defects invented and missed."""
    if report is None:
        return "none", _ABSENT, _ABSENT
    return (
        "passed" if report.passed else "FAILED",
        f"{report.mask_agreement:.2%}",
        f"+{report.defects_invented} -{report.defects_missed}",
    )


def _scores(scores: VariantScores | None) -> tuple[str, str]:
    if scores is None:
        return _ABSENT, _ABSENT
    return _number(scores.miou_pixel), _number(scores.detection_rate)


def _plain(value: object) -> Text:
    """Return text of a manifest, from whomever it is, without markup or control characters."""
    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value)))


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else _ABSENT


def _size_bytes(manifest: Manifest) -> int:
    return sum(record.size_bytes for record in manifest.files.values())


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB"
