"""The source of benchmarks/acquisition.py; another process imports it as well."""

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block
from stripscan.runtime.sources.base import BlockCounter
from stripscan.runtime.station import Station

WIDTH, LINES = 2048, 256


def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (LINES, WIDTH), np.uint8)


class Tape:
    """One picture over and over, copied for each block as a driver does, its number in it.

    Args:
        station: Names the camera.
        seconds: How long it plays.
        period_s: Time from block to block in s; as fast as they are taken if 0.
    """

    width_px, block_lines, live, total_lines = WIDTH, LINES, True, None

    def __init__(self, station: Station, *, seconds: float, period_s: float) -> None:
        self._counter = BlockCounter(camera=station.camera.name, mm_per_line=0.5)
        self._seconds = seconds
        self._period_s = period_s
        self._stop = threading.Event()
        self._stats = {"played": 0, "late_us": 0, "cpu_ms": 0}

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
        template = picture()
        cpu_s, due_s = time.thread_time(), time.monotonic()
        end_s = due_s + self._seconds
        while time.monotonic() < end_s and not self._stop.is_set():
            if self._period_s:
                due_s += self._period_s
                time.sleep(max(due_s - time.monotonic(), 0.0))
                late_us = round(1e6 * (time.monotonic() - due_s))
                self._stats["late_us"] = max(self._stats["late_us"], late_us)
            pixels = template.copy()
            pixels[0, :8] = np.frombuffer(self._stats["played"].to_bytes(8, "little"), np.uint8)
            self._stats["played"] += 1
            self._stats["cpu_ms"] = round(1e3 * (time.thread_time() - cpu_s))
            yield self._counter.block(pixels)

    def stop(self) -> None:
        self._stop.set()

    @property
    def stats(self) -> dict[str, int]:
        return self._stats
