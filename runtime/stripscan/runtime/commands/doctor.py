"""``stripscan doctor``: what this machine can do."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from stripscan.contract.errors import GateError
from stripscan.runtime.commands.predict import DEFAULT, bundle_path
from stripscan.runtime.health.finding import Finding
from stripscan.runtime.health.machine import machine_findings
from stripscan.runtime.health.model import model_findings, onnxruntime_finding
from stripscan.runtime.health.station import station_findings
from stripscan.terminal.console import results

_STYLE = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    bundle: Annotated[str, typer.Option(help="A bundle, or 'default'.")] = DEFAULT,
    station: Annotated[Path | None, typer.Option(help="A station file to check as well.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every line as JSON.")] = False,
) -> None:
    """Check this machine, the model and a station; exits with 1 if something fails."""
    findings = [*machine_findings(), onnxruntime_finding(), *model_findings(bundle_path(bundle))]
    if station is not None:
        findings += station_findings(station)
    if as_json:
        text = json.dumps([asdict(finding) for finding in findings], indent=2)
        results.print(text, markup=False, soft_wrap=True)
    else:
        _print(findings)
    failed = [finding.what for finding in findings if finding.verdict == "fail"]
    if failed:
        raise GateError(f"{', '.join(failed)}: see above what to do")


def _print(findings: Sequence[Finding]) -> None:
    """Print the table, and what to do below it, where a command can be copied whole."""
    table = Table("check", "", "found", title_justify="left")
    for finding in findings:
        verdict = Text(finding.verdict, style=_STYLE[finding.verdict])
        table.add_row(Text(finding.what), verdict, Text(finding.detail))
    results.print(table)
    for finding in findings:
        if finding.remedy:
            told = Text.assemble((f"{finding.what}: ", "bold"), finding.remedy)
            results.print(told, soft_wrap=True)
