"""What the doctor says of a station: its source, model and store, and whether it keeps up."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from stripscan.contract.errors import StripscanError
from stripscan.runtime.acquire import open_lines
from stripscan.runtime.conditioning.station_field import station_flat_field
from stripscan.runtime.daemon import station_bundle, station_engine
from stripscan.runtime.golden import require_gate_golden
from stripscan.runtime.grading import station_rules
from stripscan.runtime.health.budget import Budget, budget_finding
from stripscan.runtime.health.disk import (
    commit_finding,
    filesystem_finding,
    measure_commits,
    space_finding,
)
from stripscan.runtime.health.finding import Finding
from stripscan.runtime.health.machine import ROOT
from stripscan.runtime.health.model import golden_finding
from stripscan.runtime.health.pace import Pace, measure_pace
from stripscan.runtime.sources import open_source
from stripscan.runtime.station import Station, load_station
from stripscan.runtime.station_model import station_gate


@dataclass(slots=True, kw_only=True)
class _Known:
    """What the checks have learned on their way."""

    width_px: int | None = None
    live: bool = False
    pace: Pace | None = None


def station_findings(path: Path) -> Iterator[Finding]:
    """Yield what is known of a station.

    The source is opened, a camera as well, to see that it answers and how wide its lines are.

    Args:
        path: The station file.
    """
    try:
        station = load_station(path)
    except StripscanError as error:
        yield Finding(what="station", verdict="fail", detail=str(error))
        return
    kinds = ", ".join(source.kind for source in station.sources)
    yield Finding(what="station", verdict="ok", detail=f"{station.name}, {kinds}")
    known = _Known()
    yield _source(station, known)
    if not station.view:  # several are opened with their flat fields
        yield from _flat_field(station, known.width_px)
    yield from _model(station, known)
    yield from _store(station, known)


def _source(station: Station, known: _Known) -> Finding:
    what = "source"
    try:
        with open_lines(station) if station.view else open_source(station) as source:
            known.width_px, known.live = source.width_px, source.live
    except StripscanError as error:
        return Finding(what=what, verdict="fail", detail=str(error))
    if station.view:
        detail = f"{len(station.view)} cameras, pictures of {known.width_px} px in all"
        return Finding(what=what, verdict="ok", detail=detail)
    return Finding(what=what, verdict="ok", detail=f"lines of {known.width_px} px")


def _flat_field(station: Station, width_px: int | None) -> Iterator[Finding]:
    what = "flat field"
    try:
        field = station_flat_field(station, width_px=width_px)
    except StripscanError as error:
        yield Finding(what=what, verdict="fail", detail=str(error))
        return
    if field is not None:
        yield Finding(what=what, verdict="ok", detail=f"learned at {field.origin.learned_at}")


def _model(station: Station, known: _Known) -> Iterator[Finding]:
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
        with ExitStack() as stack:
            engine = stack.enter_context(closing(station_engine(station, bundle)))
            yield golden_finding(what, engine, bundle)
            gate = None
            if station.needs_gate:
                what = "station's gate"
                gate = stack.enter_context(closing(station_gate(station, bundle)))
                require_gate_golden(gate, bundle)
                yield Finding(what=what, verdict="ok", detail="marks the golden frames well")
            what = "time budget"
            if known.width_px is not None:
                known.pace = measure_pace(
                    station, bundle.manifest, engine, width_px=known.width_px, gate=gate
                )
    except StripscanError as error:
        yield Finding(what=what, verdict="fail", detail=str(error))


def _store(station: Station, known: _Known) -> Iterator[Finding]:
    folder = station.store.path.parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        yield Finding(
            what="store",
            verdict="fail",
            detail=f"{folder} is not a folder that may be written to",
            remedy=f"make it: mkdir -p {folder}",
        )
        return
    yield space_finding("store's disk", folder)
    yield filesystem_finding(ROOT, folder)
    try:
        commits = measure_commits(folder)
    except StripscanError as error:
        yield Finding(what="store", verdict="fail", detail=str(error))
        return
    if known.pace is None:
        yield commit_finding(commits, None)
        return
    budget = Budget(
        pace=known.pace,
        commit_ms=commits.p50_ms,
        mm_per_line=station.camera.mm_per_line,
        top_speed_m_s=station.camera.top_speed_m_s,
    )
    yield commit_finding(commits, budget.band_ms)
    yield budget_finding(budget, live=known.live)
