"""The simulated strip as a source, at full speed or at the speed of the line."""

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from stripscan.contract.block import Block, BlockStatus
from stripscan.runtime.sources.base import BlockCounter
from stripscan.runtime.station import CameraSection, SimulatorSource
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip


class SimulatorFrames:
    """Blocks of a :class:`~stripscan.simulation.strip.SimulatedStrip`."""

    def __init__(self, source: SimulatorSource, camera: CameraSection) -> None:
        self._source = source
        self._strip = SimulatedStrip(_spec(source, camera))
        self._counter = BlockCounter(camera=camera.name, mm_per_line=camera.mm_per_line)
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of ``block_lines``; the last one is partial if the strip ends in it.

        With ``pace`` a block comes when its last line would have passed the camera.
        """
        due_s = time.monotonic()
        full = self._source.block_lines
        while (first := self._counter.next_line) < self.total_lines and not self._stop.is_set():
            lines = min(full, self.total_lines - first)
            pixels = self._strip.render(first, lines).pixels
            if self._source.pace:
                due_s += self._passage_s(first, lines)
                if self._stop.wait(max(0.0, due_s - time.monotonic())):
                    return
            status = BlockStatus.COMPLETE if lines == full else BlockStatus.PARTIAL
            yield self._counter.block(pixels, status=status)

    def _passage_s(self, first_line: int, lines: int) -> float:
        """Return how long lines take to pass the camera, in s."""
        length_m = lines * self._counter.mm_per_line / 1000
        middle_m = first_line * self._counter.mm_per_line / 1000 + length_m / 2
        return length_m / self._strip.spec.speed_m_s_at(middle_m)

    def stop(self) -> None:
        """Make :meth:`blocks` end before the next block."""
        self._stop.set()

    @property
    def strip(self) -> SimulatedStrip:
        """The strip, with the truth about its defects."""
        return self._strip

    @property
    def width_px(self) -> int:
        """Width of the strip's image in px."""
        return self._source.width_px

    @property
    def live(self) -> bool:
        """Whether blocks come at the speed of the line."""
        return self._source.pace

    @property
    def total_lines(self) -> int:
        """Lines of the whole strip."""
        return self._strip.total_lines


def _spec(source: SimulatorSource, camera: CameraSection) -> StripSpec:
    """Return the strip of a station file: the scale is the camera's."""
    return StripSpec(
        width_px=source.width_px,
        mm_per_px=camera.mm_per_px,
        mm_per_line=camera.mm_per_line,
        length_m=source.length_m,
        strip_width_px=source.strip_width_px,
        seed=source.seed,
        defects_per_class=source.defects_per_class,
        wander_px=source.wander_px,
        shading=source.shading,
        noise=source.noise,
        speed_m_s=source.speed_m_s,
        real_data=source.real_data,
    )
