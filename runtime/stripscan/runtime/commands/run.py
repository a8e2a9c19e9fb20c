"""``stripscan run``: the daemon."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from stripscan.runtime.daemon import Progress as Where
from stripscan.runtime.daemon import RunResult, run_station, station_bundle
from stripscan.runtime.sources import open_source
from stripscan.runtime.station import Station, load_station
from stripscan.terminal.console import messages, results, say
from stripscan.terminal.logs import configure_logging

INTERRUPTED = 4
"""Exit code: stopped by a signal, with everything saved."""


def run(
    station: Annotated[Path, typer.Argument(help="The station file.")],
    check: Annotated[bool, typer.Option("--check", help="Validate everything and stop.")] = False,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    log_json: Annotated[bool, typer.Option("--log-json", help="One JSON object a line.")] = False,
) -> None:
    """Inspect a coil as a station file says, until its end or a signal."""
    configure_logging("WARNING" if messages.is_terminal else log_level, as_json=log_json)
    config = load_station(station)
    if check:
        bundle = station_bundle(config)
        open_source(config)
        say(f"{station}: fine; bundle {bundle.manifest.name}, store {config.store.path}")
        return
    result = run_with_progress(config)
    results.print(result.coil)
    if result.interrupted:
        say(f"stopped; what was inspected of coil {result.coil} is in {config.store.path}")
        sys.exit(INTERRUPTED)


def run_with_progress(station: Station) -> RunResult:
    """Run a station with a live line in the terminal, where there is one."""
    if not messages.is_terminal:
        return run_station(station)
    with _display(station) as show:
        return run_station(station, on_progress=show.update)


class _Display:
    def __init__(self, station: Station) -> None:
        self._planned_m = station.coil.length_m
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[where]}"),
            TimeElapsedColumn(),
            console=messages,
        )
        self._task = self._bar.add_task(station.name, total=None, where="warming up")

    def update(self, where: Where) -> None:
        share = f" of {self._planned_m:.0f}" if self._planned_m else ""
        latency = f"{where.latency_p50_ms:.0f} ms" if where.latency_p50_ms is not None else "–"
        self._bar.update(
            self._task,
            completed=where.lines,
            total=where.total_lines,
            where=f"{where.length_m:6.1f}{share} m  {where.defects} defects  "
            f"{where.throughput_mpx_s:.1f} Mpx/s  P50 {latency}",
        )

    def renderable(self) -> Table:
        grid = Table.grid(expand=True)
        grid.add_row(self._bar)
        return grid


@contextmanager
def _display(station: Station) -> Iterator[_Display]:
    display = _Display(station)
    with Live(display.renderable(), console=messages, refresh_per_second=8):
        yield display
