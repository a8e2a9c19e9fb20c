"""``stripscan flat-field``: learns the light of a station's camera, and shows what was learned."""

import importlib.metadata
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from stripscan.contract.errors import ConfigError
from stripscan.runtime.conditioning.flat_field import FlatField, Origin, Target, named_columns
from stripscan.runtime.conditioning.flat_field_file import load_flat_field, save_flat_field
from stripscan.runtime.conditioning.learning import (
    MIN_LINES,
    STEP_LINES,
    LineSampler,
    learn,
    learn_dark,
)
from stripscan.runtime.panorama.sections import camera_station
from stripscan.runtime.sources import open_source
from stripscan.runtime.station import Station, load_station
from stripscan.terminal.console import results, say

_BARS: Final = "▁▂▃▄▅▆▇█"
_BAR_CELLS: Final = 64
_STREAK_SHARE: Final = 0.04
_STREAK_PX: Final = 16
_SHOWN_CHARACTERS: Final = 200

flat_field = typer.Typer(no_args_is_help=True, help="Learn a camera's light, and look at it.")


@flat_field.command(name="learn")
def learn_command(
    station: Annotated[Path, typer.Argument(help="The station file.")],
    out: Annotated[Path, typer.Option(help="The file to write, e.g. top-1.flat.npz.")],
    lines: Annotated[
        int, typer.Option(min=MIN_LINES, help=f"Lines to learn from: every {STEP_LINES}th.")
    ] = 4096,
    lamp_hours: Annotated[
        float | None, typer.Option(min=0, help="Age of the lamps in hours, to be noted.")
    ] = None,
    white: Annotated[bool, typer.Option("--white", help="It looks at a white target.")] = False,
    dark: Annotated[
        bool, typer.Option("--dark", help="The lens is covered: learn the grey without light.")
    ] = False,
    dark_from: Annotated[
        Path | None, typer.Option(help="What --dark wrote, to be taken into account.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option(help="Which camera, where the station has several.")
    ] = None,
) -> None:
    """Learn gain and offset of each column from the station's source; no model runs."""
    if dark and (white or dark_from is not None):
        raise ConfigError("--dark goes with neither --white nor --dark-from: the lens is covered")
    config = camera_station(load_station(station), camera)
    reference = load_flat_field(dark_from) if dark_from is not None else None
    target: Target = "dark" if dark else "white" if white else "strip"
    field = _learned(config, target, lines, lamp_hours, reference)
    save_flat_field(field, out)
    _show(field)
    table = f'[[view]] "{camera}"' if camera else "[camera]"
    say(f'to use it: flat_field = "{out}" in {table} of {station}')
    results.print(str(out), soft_wrap=True)


@flat_field.command()
def show(file: Annotated[Path, typer.Argument(help="A flat field.")]) -> None:
    """Show when and from what a flat field was learned, and what it does to the columns."""
    _show(load_flat_field(file))


def _learned(
    station: Station,
    target: Target,
    lines: int,
    lamp_hours: float | None,
    dark: FlatField | None,
) -> FlatField:
    camera = station.camera
    detect = camera.strip_edges == "detect" and target == "strip"
    with open_source(station) as source:
        if dark is not None and (dark.width_px, dark.origin.camera) != (
            source.width_px,
            camera.name,
        ):
            raise ConfigError(
                f"the dark reference is of camera {dark.origin.camera!r} with {dark.width_px} "
                f"columns, and this is {camera.name!r} with {source.width_px}: learn it again"
            )
        sampler = LineSampler(
            width_px=source.width_px,
            mm_per_px=camera.mm_per_px,
            detect=detect,
            lines=lines,
            dark=target == "dark",
        )
        for block in source.blocks():
            sampler.push(block)
            if sampler.full:
                source.stop()
                break
    pixels, edges = sampler.lines()
    origin = Origin(
        camera=camera.name,
        bits=camera.bits,
        transfer=camera.transfer,
        target=target,
        source=station.source.kind,
        learned_at=datetime.now(UTC).isoformat(timespec="seconds"),
        lamp_hours=lamp_hours,
        blocks=sampler.blocks,
        lines=len(pixels),
        stripscan_version=importlib.metadata.version("stripscan"),
    )
    if target == "dark":
        return learn_dark(pixels, origin=origin)
    return learn(pixels, edges, origin=origin, dark=dark)


def _show(field: FlatField) -> None:
    origin, learned = field.origin, field.gain[field.learned]
    level = f", {field.level_grey:.0f} grey once corrected" if field.level_grey else ""
    facts = {
        "camera": f"{origin.camera}, {field.width_px} columns, {origin.bits} bits"
        + (f" {origin.transfer}" if origin.bits > 8 else ""),
        "learned": f"{origin.learned_at} by stripscan {origin.stripscan_version}",
        "lamps": "hours not told" if origin.lamp_hours is None else f"{origin.lamp_hours:g} hours",
        "from": f"{origin.target}{level}; {origin.lines} lines of {origin.blocks} blocks, source "
        f"{origin.source}",
        "gain": f"{learned.min():.3f} to {learned.max():.3f}" if len(learned) else "none",
        "offset": f"{field.offset.min():.1f} to {field.offset.max():.1f} grey",
        "dead columns": _listed(field.dead),
        "not learned on": _listed(~field.learned & ~field.dead),
        "narrow streaks": _listed(_streaks(field)),
        "light": _bars(field),
        "digest": field.digest[:12],
    }
    table = Table.grid(padding=(0, 2))
    for title, fact in facts.items():
        table.add_row(title, Text("".join(c for c in fact if c.isprintable())))
    results.print(table)


def _listed(columns: NDArray[np.bool_]) -> str:
    text = named_columns(columns)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{int(columns.sum())} columns"


def _streaks(field: FlatField) -> NDArray[np.bool_]:
    """Return columns unlike those around them: a camera's pattern, dirt, or a scratch learned."""
    padded = np.pad(field.gain, _STREAK_PX, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _STREAK_PX + 1), axis=1)
    return np.asarray(field.learned & (np.abs(field.gain / around - 1) > _STREAK_SHARE))


def _bars(field: FlatField) -> str:
    """Return the light that falls on the columns, from the left to the right of the view."""
    light = 1 / field.gain
    cells = [float(part.mean()) for part in np.array_split(light, min(_BAR_CELLS, len(light)))]
    return "".join(_BARS[round(cell / max(cells) * (len(_BARS) - 1))] for cell in cells)
