"""The station and the strip of benchmarks/soak.py; the acquisition process imports it as well."""

import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block
from stripscan.runtime.sources.base import BlockCounter
from stripscan.runtime.station import Station

MM_PER_LINE = 0.5
WIDTH, LINES = 512, 64  # each block is one row of cells
CELL_PX = 64
CELLS = WIDTH // CELL_PX
MARGIN_PX = 8  # between spots: more than what is joined


def station(folder: Path, *, address: str) -> Station:
    """Return a station for coil after coil; the source that it names is not opened."""
    camera = {"mm_per_px": 0.5, "mm_per_line": MM_PER_LINE, "strip_edges": "full"}
    parts = {
        "name": "soak",
        "camera": camera,
        "source": {"kind": "video", "uri": "rtsp://soak"},
        "coil": {"control": "commands"},
        "control": {"address": address},
        "store": {"path": folder / "soak.db"},
        "bundle": {"path": str(folder / "bundle")},
        "inference": {"tile_px": 128, "halo_px": 16, "threads": 1},
        "report": {"picture_px": 48},
        "pipeline": {"queue_blocks": 128},
    }
    return Station.model_validate(parts)


def spots(block: int, share: float) -> list[tuple[int, int, int, int]]:
    """Return the spots of a block: left, top, width, height in px, each in a cell of its own."""
    rng = np.random.default_rng((7, block))
    found = []
    for cell in np.flatnonzero(rng.random(CELLS) < share).tolist():
        width, height = (int(n) for n in rng.integers(6, 25, 2))
        room = CELL_PX - 2 * MARGIN_PX
        left = cell * CELL_PX + MARGIN_PX + int(rng.integers(0, room - width))
        found.append((left, MARGIN_PX + int(rng.integers(0, room - height)), width, height))
    return found


@lru_cache(maxsize=1)
def _metal() -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(105, 136, (64 * LINES, WIDTH), np.uint8)


def picture(block: int, share: float) -> NDArray[np.uint8]:
    """Return uint8 ``[LINES, WIDTH]``: noise and dark spots; no two blocks are alike."""
    metal = _metal()
    rows = np.random.default_rng((8, block)).permutation(len(metal))[:LINES]
    pixels = metal[rows]
    for left, top, width, height in spots(block, share):
        cv2.rectangle(pixels, (left, top), (left + width - 1, top + height - 1), 20, thickness=-1)
    return pixels


class Strip:
    """The strip at the pace of a camera.

    Args:
        station: Names the camera.
        share: How many of the cells have a spot, 0–1.
        line_rate_hz: Lines a second.
    """

    width_px, block_lines, live, total_lines = WIDTH, LINES, True, None

    def __init__(self, station: Station, *, share: float, line_rate_hz: float) -> None:
        self._counter = BlockCounter(camera=station.camera.name, mm_per_line=MM_PER_LINE)
        self._share = share
        self._period_s = LINES / line_rate_hz
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        _metal()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def blocks(self) -> Iterator[Block]:
        due_s = time.monotonic()
        while True:
            pixels = picture(self._counter.next_line // LINES, self._share)
            due_s += self._period_s
            if self._stop.wait(max(due_s - time.monotonic(), 0.0)):
                return
            yield self._counter.block(pixels)

    def stop(self) -> None:
        self._stop.set()
