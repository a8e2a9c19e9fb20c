"""A station that is made to be killed: the real daemon, a strip without a device, a tiny model.

``main`` starts one station after the other, each in a fork of itself, which costs no
start of an interpreter: a line ``folder address`` in, the process id out, and in the end how it
ended.
"""

import os
import sys
import traceback
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from integration.runtime.tapes import LINES, Tape
from stripscan.runtime.acquisition_process import AcquisitionProcess
from stripscan.runtime.coil_run import Progress
from stripscan.runtime.daemon import run_station
from stripscan.runtime.station import Station

WIDTH = 96
TILE_PX, HALO_PX = 64, 8
MM_PER_LINE = 0.25
PERIOD_S = 0.006


def station(folder: Path, address: str) -> Station:
    camera = {"mm_per_px": 0.5, "mm_per_line": MM_PER_LINE, "strip_edges": "full"}
    parts = {
        "name": "line 1",
        "camera": camera,
        "source": {"kind": "video", "uri": "rtsp://nowhere"},
        "coil": {"control": "commands"},
        "control": {"address": address},
        "store": {"path": folder / "line.sqlite"},
        "bundle": {"path": str(folder / "bundle")},
        "inference": {"tile_px": TILE_PX, "halo_px": HALO_PX, "threads": 1},
        "report": {"picture_px": 32},
        "pipeline": {"overload": "block"},  # a busy machine shall drop nothing of its own
    }
    return Station.model_validate(parts)


class Strip(Tape):
    """A strip with spots, and with scratches longer than a tile; it does not end."""

    width_px = WIDTH

    def __init__(self, station: Station) -> None:
        super().__init__(station, period_s=PERIOD_S)

    def picture(self, first_line: int) -> NDArray[np.uint8]:
        noise = np.random.default_rng((os.getpid(), first_line))  # a camera sends no line twice
        pixels = noise.integers(105, 136, (LINES, WIDTH), np.uint8)
        lines = np.arange(first_line, first_line + LINES)
        pixels[lines % 25 < 7, 10:20] = 20
        pixels[lines % 300 < 200, 40:46] = 20
        return pixels


def run(folder: Path, address: str) -> None:
    """Run the station; how many rows of tiles are committed stays in a file when it dies."""
    told = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    rows: Counter[str] = Counter()

    def tell(where: Progress) -> None:
        rows[where.coil] += 1
        os.pwrite(told, f"{where.coil} {rows[where.coil]} {where.defects}".ljust(64).encode(), 0)

    lines = partial(AcquisitionProcess, opener=Strip)
    run_station(station(folder, address), on_progress=tell, lines=lines)


def main() -> None:
    for line in sys.stdin:
        folder, address = line.split()
        process = os.fork()
        if process == 0:
            try:
                run(Path(folder), address)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(status, flush=True)
