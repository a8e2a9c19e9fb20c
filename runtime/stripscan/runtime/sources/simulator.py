"""The simulated strip as a source, at full speed or at the speed of the line."""

import dataclasses
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, BlockStatus
from stripscan.runtime.sources.base import BlockCounter
from stripscan.runtime.sources.simulated_way import Stretch, count_at, stretches
from stripscan.runtime.station import CameraSection
from stripscan.runtime.station_encoder import EncoderSection
from stripscan.runtime.station_sources import SimulatorSource
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip


class SimulatorFrames:
    """Blocks of a :class:`~stripscan.simulation.strip.SimulatedStrip`.

    Args:
        source: The strip.
        camera: Its scale.
        encoder: What its counts mean, where it has any; the encoder triggers the lines both ways.
    """

    def __init__(
        self, source: SimulatorSource, camera: CameraSection, encoder: EncoderSection | None = None
    ) -> None:
        self._source = source
        self._strip = SimulatedStrip(_spec(source, camera))
        self._counter = BlockCounter(camera=camera.name, mm_per_line=camera.mm_per_line)
        self._encoder = encoder
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
        """Yield blocks of ``block_lines``, partial where the strip stops or ends in one.

        With ``pace`` a block comes when its last line would have passed the camera.
        """
        due_s = time.monotonic()
        way = stretches(
            self.total_lines,
            self._source.block_lines,
            reversals=self._source.reversals,
            reversal_lines=round(self._source.reversal_mm / self._counter.mm_per_line),
        )
        for stretch in way:
            if self._stop.is_set():
                return
            block = self._block(stretch)
            if self._source.pace:
                due_s += self._passage_s(stretch.first, stretch.lines)
                if self._stop.wait(max(0.0, due_s - time.monotonic())):
                    return
            yield dataclasses.replace(block, host_ns=time.monotonic_ns())

    def _block(self, stretch: Stretch) -> Block:
        pixels = self._seen(self._strip.render(stretch.first, stretch.lines).pixels)
        full = stretch.lines == self._source.block_lines
        block = self._counter.block(
            pixels if stretch.forward else np.ascontiguousarray(pixels[::-1]),
            status=BlockStatus.COMPLETE if full else BlockStatus.PARTIAL,
        )
        if self._encoder is None:
            return block
        count = count_at(
            stretch.seen_first,
            total_lines=self.total_lines,
            encoder=self._encoder,
            mm_per_line=self._counter.mm_per_line,
        )
        return dataclasses.replace(block, encoder_count=count)

    def _seen(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the columns that the camera sees, in its order."""
        source = self._source
        first, stop = source.view_left_px, source.view_left_px + source.seen_px
        seen = pixels[:, first:stop]
        return np.ascontiguousarray(seen[:, ::-1] if source.mirrored else seen)

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
        """Width of the camera's image in px."""
        return self._source.seen_px

    @property
    def block_lines(self) -> int:
        """Lines of a full block."""
        return self._source.block_lines

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
