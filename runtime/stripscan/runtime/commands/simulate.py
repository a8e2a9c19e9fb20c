"""``stripscan simulate``: a strip with known defects, as files."""

from pathlib import Path
from typing import Annotated

import typer

from stripscan.simulation.frames import write_frames
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip
from stripscan.terminal.console import results, say


def simulate(
    out: Annotated[Path, typer.Option(help="A new folder for frames and truth.")],
    length_m: Annotated[float, typer.Option(help="Length in m.")] = 10.0,
    width_px: Annotated[int, typer.Option(help="Width of the camera's image in px.")] = 1024,
    pitch_mm: Annotated[float, typer.Option(help="Pitch along and across in mm.")] = 0.5,
    defects_per_class: Annotated[int, typer.Option(help="Planted defects of each class.")] = 4,
    noise: Annotated[float, typer.Option(help="Sensor noise in grey levels.")] = 2.5,
    seed: Annotated[int, typer.Option(help="Same seed, same strip.")] = 7,
    block_lines: Annotated[int, typer.Option(help="Lines in a frame.")] = 256,
    real_data: Annotated[
        Path | None, typer.Option(help="SD-saliency-900 folder: plant its defects.")
    ] = None,
) -> None:
    """Write the frames of a moving strip and the truth about them.

    To feed the daemon without files, use a station with the source kind "simulator".
    """
    strip = SimulatedStrip(
        StripSpec(
            width_px=width_px,
            mm_per_px=pitch_mm,
            mm_per_line=pitch_mm,
            length_m=length_m,
            seed=seed,
            defects_per_class=defects_per_class,
            noise=noise,
            real_data=real_data,
        )
    )
    frames = write_frames(strip, out, block_lines)
    say(f"{frames} frames of {block_lines} lines, {len(strip.planted)} planted defects")
    results.print(str(out), soft_wrap=True)
