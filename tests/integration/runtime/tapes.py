"""A source without a device, whose lines say which they are; another process can make it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block
from stripscan.contract.errors import CameraTimeout
from stripscan.runtime.sources.base import BlockCounter
from stripscan.runtime.station import Station

WIDTH, LINES = 64, 16
SHARED = Path("/dev/shm")  # noqa: S108 - nothing is written there


def shared_memory() -> set[Path]:
    """Return what programs like this one share by name; that of others comes and goes."""
    return {path for path in SHARED.iterdir() if path.name.startswith(("psm_", "sem.", "strip"))}


def picture(first_line: int, lines: int = LINES) -> NDArray[np.uint8]:
    numbers = np.arange(first_line, first_line + lines, dtype="<i8")
    told = numbers.view(np.uint8).reshape(lines, 8)
    rest = (numbers[:, None] * 31 + np.arange(WIDTH - 8) * 7) % 251
    return np.hstack([told, rest.astype(np.uint8)])


def line_of(row: NDArray[np.uint8]) -> int:
    return int(row[:8].copy().view("<i8")[0])


def assert_untorn(pixels: NDArray[np.uint8]) -> None:
    """Check that all rows of a block are whole and follow each other."""
    assert np.array_equal(pixels, picture(line_of(pixels[0]), len(pixels)))


class Tape:
    """Blocks with a pause between, at most so many; then silence, an error, or the end.

    With a folder for ``plays`` the second of all tapes that play finds its camera silent.
    """

    width_px = WIDTH
    block_lines = LINES
    live = True
    total_lines = None

    def __init__(
        self,
        station: Station,
        *,
        count: int = 10**9,
        period_s: float = 0.0,
        fails: bool = False,
        plays: Path | None = None,
    ) -> None:
        self._counter = BlockCounter(camera=station.camera.name, mm_per_line=0.25)
        self._count = count
        self._period_s = period_s
        self._fails = fails
        self._plays = plays
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def blocks(self) -> Iterator[Block]:
        if self._plays is not None:
            number = len(list(self._plays.iterdir()))
            (self._plays / str(number)).touch()
            if number == 1:
                raise CameraTimeout("the camera answers and sent no block")
        for number in range(self._count):
            if self._stop.wait(self._period_s):
                return
            yield self._counter.block(self.picture(number * LINES), host_ns=time.monotonic_ns())
        if self._fails:
            raise CameraTimeout("the tape says nothing")

    def picture(self, first_line: int) -> NDArray[np.uint8]:
        """Return uint8 ``[LINES, width_px]``."""
        return picture(first_line)

    def stop(self) -> None:
        self._stop.set()

    @property
    def stats(self) -> dict[str, int]:
        return {"lines_lost": 0, "lines_played": self._counter.next_line}
