"""``stripscan simulate``: a strip with known defects, as files or as a camera."""

import threading
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from stripscan.contract.errors import ConfigError
from stripscan.runtime.shutdown import Shutdown
from stripscan.runtime.simulated_camera import SimulatedCamera
from stripscan.simulation.frames import write_frames
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip
from stripscan.terminal.console import results, say


def simulate(
    out: Annotated[Path | None, typer.Option(help="A new folder for frames and truth.")] = None,
    as_camera: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Be a GigE Vision camera at this IP address of this machine, until Ctrl-C.",
        ),
    ] = None,
    speed_m_s: Annotated[
        float, typer.Option(help="Speed of the strip under the camera in m/s.")
    ] = 10.0,
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
    view_left_px: Annotated[
        int, typer.Option(min=0, help="First column that the camera sees, one of several.")
    ] = 0,
    view_px: Annotated[
        int | None, typer.Option(min=32, help="How many columns it sees; all that are left.")
    ] = None,
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="It sees them from right to left.")
    ] = False,
) -> None:
    """Write the frames of a moving strip and the truth about them, or send them as a camera.

    To feed the daemon without files, use a station with the source kind "simulator".
    """
    if out is None and as_camera is None:
        raise ConfigError("nothing to do: add --out FOLDER, --as-camera ADDRESS, or both")
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
            speed_m_s=speed_m_s,
        )
    )
    columns = _columns(width_px, view_left_px, view_px, mirrored=mirrored)
    if out is not None:
        frames = write_frames(strip, out, block_lines, columns=columns)
        say(f"{frames} frames of {block_lines} lines, {len(strip.planted)} planted defects")
        results.print(str(out), soft_wrap=True)
    if as_camera is not None:
        _be_a_camera(strip, as_camera, block_lines, columns)


def _columns(width_px: int, left_px: int, view_px: int | None, *, mirrored: bool) -> slice:
    """Return what a camera sees of the strip, in its order.

    Raises:
        ConfigError: It would look beyond the strip's picture.
    """
    stop_px = left_px + (view_px or max(width_px - left_px, 1))
    if stop_px > width_px:
        raise ConfigError(
            f"columns {left_px} to {stop_px} reach beyond --width-px {width_px}, which all cameras "
            "see together: take less of --view-left-px or --view-px"
        )
    if mirrored:
        return slice(stop_px - 1, left_px - 1 if left_px else None, -1)
    return slice(left_px, stop_px)


def _be_a_camera(strip: SimulatedStrip, address: str, block_lines: int, columns: slice) -> None:
    """Send the strip to whoever takes it, at its steady speed, until a signal comes."""
    starts = range(0, strip.total_lines - block_lines + 1, block_lines)
    blocks = [
        np.ascontiguousarray(strip.render(first, block_lines).pixels[:, columns])
        for first in starts
    ]
    if not blocks:
        raise ConfigError(f"the strip has {strip.total_lines} lines: less than one block")
    period_s = block_lines * strip.spec.mm_per_line / 1000 / strip.spec.speed_m_s
    done, shutdown = threading.Event(), Shutdown()
    shutdown.on_request(done.set)
    with (
        shutdown.listening(),
        SimulatedCamera(blocks, address=address, period_s=period_s) as camera,
    ):
        say(f"camera {camera.id} is ready, {1 / period_s:.1f} blocks a second; Ctrl-C ends it")
        results.print(camera.id)
        done.wait()
        say(f"{camera.sent_blocks} blocks sent, {len(blocks)} of them of the strip")
