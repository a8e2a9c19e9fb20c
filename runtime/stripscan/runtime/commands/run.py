"""``stripscan run``: the daemon."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from stripscan.contract.errors import StoreError
from stripscan.runtime.acquire import open_lines
from stripscan.runtime.coil_run import Progress as Where
from stripscan.runtime.conditioning.station_field import station_flat_field
from stripscan.runtime.control.server import read_token
from stripscan.runtime.daemon import run_station, station_bundle
from stripscan.runtime.grading import station_rules
from stripscan.runtime.inspector import tile_grid
from stripscan.runtime.line import RunResult
from stripscan.runtime.panorama.sections import camera_stations
from stripscan.runtime.sources import open_source
from stripscan.runtime.station import Station, load_station
from stripscan.runtime.station_model import load_model
from stripscan.runtime.store import Store
from stripscan.runtime.store_postgresql import require_driver
from stripscan.runtime.telling import check_receivers
from stripscan.terminal.console import messages, results, say
from stripscan.terminal.logs import configure_logging

INTERRUPTED = 4
"""Exit code: stopped by a signal, with everything saved."""


def run(
    station: Annotated[Path, typer.Argument(help="The station file.")],
    check: Annotated[bool, typer.Option("--check", help="Validate everything and stop.")] = False,
    log_level: Annotated[
        str | None,
        typer.Option(help="DEBUG, INFO, WARNING or ERROR; WARNING on a terminal, else INFO."),
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="One JSON object a line.")] = False,
) -> None:
    """Inspect a coil, or coil after coil, as a station file says, until the end or a signal."""
    usual = "WARNING" if messages.is_terminal else "INFO"
    configure_logging(log_level or usual, as_json=log_json)
    config = load_station(station)
    if check:
        say(f"{station}: fine; {_checked(config)}")
        return
    result = run_with_progress(config)
    if result.coil:
        results.print(result.coil)
    if result.interrupted:
        what = (
            f"what was inspected of coil {result.coil}"
            if result.coil
            else "no coil came, so nothing"
        )
        say(f"stopped; {what} is in {config.store.path}")
        sys.exit(INTERRUPTED)


def _checked(station: Station) -> str:
    """Return what a station would work with; nothing is written, and no live source is touched.

    Raises:
        StripscanError: The bundle, the rules, the source, the token or the store would stop a run.
    """
    bundle = station_bundle(station)
    rules = station_rules(station, bundle)
    load_model(station, bundle).close()
    tile_grid(station, bundle.manifest, width_px=1)
    _check_sources(station)
    if station.control:
        read_token(station.control.token_file)
    check_receivers(station)
    if station.store.url:
        require_driver("url in [store]")
    path, coil = station.store.path, station.coil.id
    if path.exists():
        with Store.open(path, readonly=True) as store:
            if coil in {record.id for record in store.coils()}:
                raise StoreError(f"coil {coil} is already in {path}; choose another id")
    elif not path.parent.is_dir():
        raise StoreError(f"the folder {path.parent} does not exist: make it, then try again")
    return f"bundle {bundle.manifest.name}, rules {rules}, store {path}"


def _check_sources(station: Station) -> None:
    """Open what is no live source, and read the flat fields.

    Raises:
        StripscanError: They would stop a run.
    """
    sources = [open_source(each) for each in camera_stations(station)]
    if station.view and not any(source.live for source in sources):
        with open_lines(station):
            return
    for each, source in zip(camera_stations(station), sources, strict=True):
        if source.live:
            station_flat_field(each)
        else:
            with source:
                station_flat_field(each, width_px=source.width_px)


def run_with_progress(station: Station) -> RunResult:
    """Run a station with a live line in the terminal, where there is one."""
    if not messages.is_terminal:
        return run_station(station)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[where]}"),
        TimeElapsedColumn(),
    )
    planned_m = station.coil.length_m
    with Progress(*columns, console=messages, expand=True) as bar:
        task = bar.add_task(station.name, total=None, where="warming up")

        def show(where: Where) -> None:
            text = _line(where, planned_m)
            bar.update(task, completed=where.lines, total=where.total_lines, where=text)

        return run_station(station, on_progress=show)


def _line(where: Where, planned_m: float | None) -> str:
    share = f" of {planned_m:.0f}" if planned_m else ""
    latency = f"{where.latency_p50_ms:.0f} ms" if where.latency_p50_ms is not None else "–"
    return (
        f"{where.length_m:6.1f}{share} m  {where.defects} defects  "
        f"{where.throughput_mpx_s:.1f} Mpx/s  P50 {latency}"
    )
