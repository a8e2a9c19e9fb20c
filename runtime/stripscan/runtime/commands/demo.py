"""``stripscan demo``: the main job on a simulated coil, and what came of it."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.errors import StoreError
from stripscan.contract.files import atomic_write
from stripscan.runtime.acceptance import Acceptance, judge
from stripscan.runtime.commands.run import INTERRUPTED, run_with_progress
from stripscan.runtime.report.html import write_html
from stripscan.runtime.report.model import Report, build_report
from stripscan.runtime.sources.simulator import SimulatorFrames
from stripscan.runtime.station import Station, load_station
from stripscan.runtime.station_sources import SimulatorSource
from stripscan.runtime.store import Store
from stripscan.terminal.console import results, say
from stripscan.terminal.logs import configure_logging

_STATION = """\
# The station of 'stripscan demo'. Run it again with: stripscan run {file}
name = "demo"

[camera]
name = "top"
mm_per_px = 0.5
mm_per_line = 0.5

[coil]
length_m = {length_m}

[source]
kind = "simulator"
width_px = 1024
length_m = {length_m}
seed = {seed}
defects_per_class = 10
noise = 2.5

[store]
path = "stripscan.db"
"""


def demo(
    out: Annotated[Path, typer.Option(help="Folder for station, store and report.")] = Path("demo"),
    length_m: Annotated[float, typer.Option(help="Length of the coil in m.", min=5)] = 120.0,
    seed: Annotated[int, typer.Option(help="Same seed, same coil.", min=0)] = 7,
) -> None:
    """Inspect a simulated coil with the default bundle and hold the result against the truth."""
    configure_logging("WARNING")
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = out / "station.toml"
        text = _STATION.format(file=file, length_m=float(length_m), seed=seed)
        with atomic_write(file) as station_file:
            station_file.write(text.encode())
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror}") from error
    station = load_station(file)
    started = time.monotonic()
    run = run_with_progress(station)
    seconds = time.monotonic() - started
    with Store.open(station.store.path, readonly=True) as store:
        report = build_report(store, run.coil)
        judged = None if run.interrupted else judge(store, run.coil, _strip(station).strip)
    path = (out / f"{run.coil}.html").resolve()
    write_html(report, path)
    if judged:
        results.print(_found(judged))
    results.print(_summary(report, judged, seconds))
    say("report:")
    results.print(str(path), soft_wrap=True)
    if run.interrupted:
        sys.exit(INTERRUPTED)


def _strip(station: Station) -> SimulatorFrames:
    source = station.source
    if not isinstance(source, SimulatorSource):
        raise TypeError("the demo runs on the simulator")
    return SimulatorFrames(source, station.camera)


def _found(judged: Acceptance) -> Table:
    table = Table("class", title="defects", title_justify="left")
    for head in ("planted", "found", "right class"):
        table.add_column(head, justify="right")
    for row in judged.classes:
        table.add_row(row.class_name, str(row.planted), str(row.found), str(row.named))
    named = sum(row.named for row in judged.classes)
    table.add_section()
    table.add_row("all", str(judged.planted), str(judged.found), str(named))
    return table


def _summary(report: Report, judged: Acceptance | None, seconds: float) -> Table:
    table = Table.grid(padding=(0, 2))
    inspected = next(t for t in report.coverage_totals if t.status is CoverageStatus.INSPECTED)
    table.add_row("coil", f"{report.length_m:.1f} m in {seconds:.1f} s")
    table.add_row("coverage", f"{inspected.percent:.1f} % inspected")
    table.add_row("records", f"{len(report.defects)} defects")
    if judged:
        per_m2 = judged.false_alarms / judged.area_m2
        table.add_row(
            "false alarms",
            f"{judged.false_alarms} on {judged.area_m2:.1f} m² ({per_m2:.2f} per m²)",
        )
    if report.throughput_mpx_s is not None:
        table.add_row("throughput", f"{report.throughput_mpx_s:.1f} Mpx/s")
    latency = report.latency
    if latency.p50_ms is not None and latency.p99_ms is not None:
        table.add_row(
            "line to record",
            f"P50 {latency.p50_ms:.0f} ms, P99 {latency.p99_ms:.0f} ms, "
            "the queue of an unpaced source included",
        )
    return table
