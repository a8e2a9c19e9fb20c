"""``stripscan plan``: cameras and machines for a line, from what this machine does."""

import json
import resource
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from stripscan.contract.bundle import open_bundle
from stripscan.runtime.commands.predict import DEFAULT, EngineOption, PrecisionOption, bundle_path
from stripscan.runtime.engines.choice import EngineChoice, engine_choice, open_engine
from stripscan.runtime.health.budget import COMFORTABLE_MARGIN, Budget
from stripscan.runtime.health.disk import measure_commits
from stripscan.runtime.health.pace import measure_pace
from stripscan.runtime.planning import LINKS_MB_S, SMALLEST_DEFECT_PX, Demand, Plan
from stripscan.runtime.planning import plan as plan_line
from stripscan.runtime.station import CameraSection, InferenceSection, Station
from stripscan.runtime.station_sources import SimulatorSource
from stripscan.terminal.console import results


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """What was measured here.

    Attributes:
        engine: What ran the model.
        mpx_s: Pixels inspected and stored, in 10⁶ a second.
        band_ms: Time of a band, in ms.
        commit_ms: Time of the store for a band, in ms.
        memory_mb: Most memory that the process took, in 10⁶ bytes.
    """

    engine: str
    mpx_s: float
    band_ms: float
    commit_ms: float
    memory_mb: float


def plan(
    width_mm: Annotated[float, typer.Option(help="Width of the strip in mm.")],
    mm_per_px: Annotated[float, typer.Option(help="Pitch, along as across, in mm.")],
    speed_m_s: Annotated[float, typer.Option(help="Highest speed of the strip in m/s.")],
    surfaces: Annotated[int, typer.Option(help="1, or 2 for top and bottom.")] = 1,
    camera_px: Annotated[int, typer.Option(help="Pixels of a camera.")] = 2048,
    camera_khz: Annotated[
        float | None, typer.Option(help="Highest line rate of the camera in kHz.")
    ] = None,
    overlap_mm: Annotated[float, typer.Option(help="Overlap of two cameras in mm.")] = 20.0,
    margin: Annotated[
        float, typer.Option(help="How much more a machine must inspect, as a share.")
    ] = COMFORTABLE_MARGIN,
    bundle: Annotated[str, typer.Option(help="A bundle, or 'default'.")] = DEFAULT,
    engine: EngineOption = None,
    precision: PrecisionOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
) -> None:
    """Count cameras and machines for a line, from what this machine is measured to inspect."""
    demand = Demand(
        width_mm=width_mm,
        mm_per_px=mm_per_px,
        speed_m_s=speed_m_s,
        surfaces=surfaces,
        camera_px=camera_px,
        camera_khz=camera_khz,
        overlap_mm=overlap_mm,
        margin=margin,
    )
    machine = _measured(demand, bundle_path(bundle), engine_choice(engine, precision))
    planned = plan_line(demand, machine.mpx_s)
    if as_json:
        parts = {"demand": asdict(demand), "machine": asdict(machine), "plan": asdict(planned)}
        results.print(json.dumps(parts, indent=2), markup=False, soft_wrap=True)
        return
    table = Table("", "", "", show_header=False)
    for row in _rows(demand, machine, planned):
        table.add_row(*map(Text, row))
    results.print(table)


def _measured(demand: Demand, bundle: Path, choice: EngineChoice) -> _Machine:
    """Measure this machine; the store is taken to lie in the current folder."""
    opened = open_bundle(bundle)
    station = Station(
        name="plan",
        camera=CameraSection(mm_per_px=demand.mm_per_px, mm_per_line=demand.mm_per_px),
        source=SimulatorSource(kind="simulator"),
        inference=InferenceSection(engine=choice.engine, batch=choice.batch),
    )
    with closing(open_engine(opened, choice)) as engine:
        pace = measure_pace(station, opened.manifest, engine, width_px=demand.camera_px)
        description = engine.description
    budget = Budget(
        pace=pace,
        commit_ms=measure_commits(Path.cwd()).p50_ms,
        mm_per_line=demand.mm_per_px,
        top_speed_m_s=demand.speed_m_s,
    )
    return _Machine(
        engine=description,
        mpx_s=budget.capacity_mpx_s,
        band_ms=budget.needed_ms,
        commit_ms=budget.commit_ms,
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.024e-3,
    )


def _rows(demand: Demand, machine: _Machine, planned: Plan) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and remark of each line."""
    views = f"{demand.camera_px:,} px each, {demand.overlap_mm:g} mm overlap"
    surfaces = f"{demand.surfaces} surface{'s' if demand.surfaces > 1 else ''}"
    yield "across the strip", f"{planned.pixels_across:,} px", f"{demand.width_mm:g} mm"
    yield "cameras a surface", f"{planned.cameras_per_surface}", views
    yield "view", f"{planned.view_mm:,.0f} mm", "what is not strip lets it wander"
    yield "line rate", f"{planned.line_rate_khz:.1f} kHz", _camera_limit(demand, planned)
    yield "strip", f"{planned.strip_mpx_s:.0f} Mpx/s", "of one surface"
    yield "in all", f"{planned.total_mpx_s:.0f} Mpx/s", f"{planned.cameras} cameras, {surfaces}"
    yield "link of a camera", planned.link or "none of these", _link(planned)
    smallest = f"{planned.smallest_defect_mm:g} mm"
    yield "smallest defect", smallest, f"{SMALLEST_DEFECT_PX} px; the model may need more"
    yield "this machine", f"{machine.mpx_s:.1f} Mpx/s", _how_measured(machine)
    yield "machines", _machines(planned), _why(demand, machine, planned)
    memory = machine.memory_mb * max(planned.cameras_per_machine, 1)
    yield "memory", f"{memory:,.0f} MB", "of a machine, by what one camera took here"


def _camera_limit(demand: Demand, planned: Plan) -> str:
    if demand.camera_khz is None or planned.fastest_m_s is None:
        return "hold it against the camera's own: --camera-khz"
    if planned.fastest_m_s >= demand.speed_m_s:
        return f"the camera has {demand.camera_khz:g} kHz"
    return (
        f"TOO FAST for the camera: {demand.camera_khz:g} kHz end at {planned.fastest_m_s:.1f} m/s"
    )


def _link(planned: Plan) -> str:
    limits = ", ".join(f"{link} {limit:,.0f}" for link, limit in LINKS_MB_S.items())
    rate = f"{planned.camera_mb_s:.0f} MB/s; {limits}"
    return rate if planned.link else f"{rate}: take narrower cameras, CoaXPress or Camera Link"


def _how_measured(machine: _Machine) -> str:
    return (
        f"{machine.engine}; a band in {machine.band_ms:.1f} ms, "
        f"{machine.commit_ms:.1f} of them for the store"
    )


def _machines(planned: Plan) -> str:
    return "none like this" if planned.machines is None else str(planned.machines)


def _why(demand: Demand, machine: _Machine, planned: Plan) -> str:
    wanted = planned.camera_mpx_s * (1 + demand.margin)
    asked = (
        f"a camera has {planned.camera_mpx_s:.1f} Mpx/s, "
        f"{wanted:.1f} with {demand.margin:.0%} margin"
    )
    if planned.machines is None:
        factor = wanted / machine.mpx_s
        return f"{asked}: {factor:.1f} times this machine; take a GPU, int8, or coarser pixels"
    return f"{asked}: {planned.cameras_per_machine} a machine"
