"""``stripscan doctor``: what this machine can do."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import onnxruntime
import typer
from rich.table import Table

from stripscan.contract.bundle import Bundle, open_bundle
from stripscan.contract.errors import GateError, StripscanError
from stripscan.runtime.commands.predict import DEFAULT, bundle_path
from stripscan.runtime.daemon import station_bundle, station_engine
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.choice import open_engine
from stripscan.runtime.golden import replay
from stripscan.runtime.grading import station_rules
from stripscan.runtime.station import Station, load_station
from stripscan.terminal.console import results

_MIN_FREE_GB = 5.0
_STYLE = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor.

    Attributes:
        what: What was looked at.
        verdict: Whether it is fine.
        detail: What was found, and what to do where it is not fine.
    """

    what: str
    verdict: Literal["ok", "warn", "fail"]
    detail: str


def doctor(
    bundle: Annotated[str, typer.Option(help="A bundle, or 'default'.")] = DEFAULT,
    station: Annotated[Path | None, typer.Option(help="A station file to check as well.")] = None,
) -> None:
    """Check this machine, the model and a station; exits with 1 if something fails."""
    findings = [*_machine(), *_onnxruntime(), *_model(bundle)]
    if station is not None:
        findings += _station(station)
    table = Table("check", "", "found", title_justify="left")
    for finding in findings:
        verdict = f"[{_STYLE[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(finding.what, verdict, finding.detail)
    results.print(table)
    failed = [finding.what for finding in findings if finding.verdict == "fail"]
    if failed:
        raise GateError(f"{', '.join(failed)}: see above what to do")


def _machine() -> Iterator[Finding]:
    yield Finding(
        what="machine",
        verdict="ok",
        detail=f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"OpenCV {cv2.__version__}",
    )
    yield _disk(Path.cwd())


def _disk(folder: Path) -> Finding:
    free_gb = shutil.disk_usage(folder).free / 1e9
    few = free_gb < _MIN_FREE_GB
    remedy = f"; make room: below {_MIN_FREE_GB:.0f} GB a long coil may not fit" if few else ""
    return Finding(
        what="disk", verdict="warn" if few else "ok", detail=f"{free_gb:.1f} GB free{remedy}"
    )


def _onnxruntime() -> Iterator[Finding]:
    names = ("onnxruntime", "onnxruntime-gpu")
    installed = [name for name in names if _version(name)]
    if len(installed) > 1:
        yield Finding(
            what="onnxruntime",
            verdict="fail",
            detail="onnxruntime and onnxruntime-gpu overwrite each other's files; "
            "uninstall both, then install one",
        )
        return
    providers = [p.removesuffix("ExecutionProvider") for p in onnxruntime.get_available_providers()]
    yield Finding(
        what="onnxruntime",
        verdict="ok",
        detail=f"{', '.join(installed)} {onnxruntime.__version__}, built with "
        f"{', '.join(providers)}",
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _model(bundle: str) -> Iterator[Finding]:
    try:
        opened = open_bundle(bundle_path(bundle))
        yield Finding(
            what="bundle",
            verdict="ok",
            detail=f"{opened.manifest.name} {opened.digest[:12]}, all files whole",
        )
        with closing(open_engine(opened)) as engine:
            yield _golden_frames("golden frames", engine, opened)
    except StripscanError as error:
        yield Finding(what="bundle", verdict="fail", detail=str(error))


def _golden_frames(what: str, engine: Engine, bundle: Bundle) -> Finding:
    frames = replay(engine, bundle)
    worst = min(frames, key=lambda frame: frame.agreement, default=None)
    if worst is None:
        return Finding(what=what, verdict="warn", detail="the bundle has none")
    bad = [frame for frame in frames if not frame.passed]
    return Finding(
        what=what,
        verdict="fail" if bad else "ok",
        detail=f"{engine.description}: {len(frames) - len(bad)} of {len(frames)} agree, the worst "
        f"on {worst.agreement:.2%} of its pixels"
        + ("; this machine computes other masks: do not inspect with it" if bad else ""),
    )


def _station(path: Path) -> Iterator[Finding]:
    try:
        station = load_station(path)
    except StripscanError as error:
        yield Finding(what="station", verdict="fail", detail=str(error))
        return
    yield Finding(what="station", verdict="ok", detail=f"{station.name}, {station.source.kind}")
    yield from _station_bundle(station)
    folder = station.store.path.parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        yield _disk(folder)
    else:
        yield Finding(
            what="store",
            verdict="fail",
            detail=f"{folder} is not a folder that may be written to: make it",
        )


def _station_bundle(station: Station) -> Iterator[Finding]:
    what = "station's bundle"
    try:
        bundle = station_bundle(station)
        yield Finding(
            what=what,
            verdict="ok",
            detail=f"{bundle.manifest.name} {bundle.digest[:12]}, signature: "
            f"{station.bundle.signature_policy}",
        )
        what = "station's rules"
        yield Finding(what=what, verdict="ok", detail=str(station_rules(station, bundle)))
        what = "station's engine"
        with closing(station_engine(station, bundle)) as engine:
            yield _golden_frames(what, engine, bundle)
    except StripscanError as error:
        yield Finding(what=what, verdict="fail", detail=str(error))
