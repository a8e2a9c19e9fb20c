"""What every source of lines is, and the counting of lines that all of them share."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, BlockStatus, LineRange


class FrameSource(Protocol):
    """Lines of one camera, from the head of one coil to its end.

    Use it once, as a context manager; open another for the next coil.
    """

    def __enter__(self) -> Self:
        """Take hold of the device or the files.

        Raises:
            CameraError: A stream or device cannot be opened.
            DataError: The files are missing or unusable.
        """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of it; a second time does nothing."""

    def blocks(self) -> Iterator[Block]:
        """Yield blocks until the coil ends or :meth:`stop` is called.

        The first has line 0, and each starts at the line where the one before stopped: lines
        that were lost are in blocks with ``BlockStatus.LOST_LINES``.

        Raises:
            CameraLost: A stream that was delivering is gone.
            CameraTimeout: A stream is silent.
            DataError: A file cannot be used.
        """
        ...

    def stop(self) -> None:
        """Make :meth:`blocks` end soon, from any thread; before it starts as well."""

    @property
    def width_px(self) -> int:
        """Width of all blocks in px, known once the source is entered."""
        ...

    @property
    def live(self) -> bool:
        """Whether lines come at their own pace, and are lost when nobody takes them."""
        ...

    @property
    def total_lines(self) -> int | None:
        """How many lines the strip has, where the source knows it."""
        ...


@runtime_checkable
class CountingSource(Protocol):
    """A source that counts what it received and what it lost."""

    @property
    def stats(self) -> Mapping[str, int]:
        """Counts so far, for the figures of the coil."""
        ...


@runtime_checkable
class SizedSource(Protocol):
    """A source that knows, once it is entered, how large its blocks get."""

    @property
    def block_lines(self) -> int:
        """Most lines of a block that shows a picture."""
        ...


@dataclass(slots=True, kw_only=True)
class BlockCounter:
    """Makes blocks of consecutive lines.

    Attributes:
        camera: Name of the camera.
        mm_per_line: Way of the strip from line to line, in mm.
        next_line: Number of the next block's first line.
    """

    camera: str
    mm_per_line: float
    next_line: int = field(default=0, init=False)

    def block(
        self,
        pixels: NDArray[np.uint8],
        *,
        status: BlockStatus = BlockStatus.COMPLETE,
        host_ns: int | None = None,
    ) -> Block:
        """Return the next block.

        Args:
            pixels: uint8 ``[lines, width]``; locked against writing here.
            status: What is known of it; ``LOST_LINES`` marks all of its lines as lost.
            host_ns: ``time.monotonic_ns()`` of the moment when they were in memory; now if None.
        """
        pixels.flags.writeable = False
        first = self.next_line
        self.next_line = first + pixels.shape[0]
        lost = status is BlockStatus.LOST_LINES
        return Block(
            pixels=pixels,
            camera=self.camera,
            first_line=first,
            along_m=first * self.mm_per_line / 1000,
            mm_per_line=self.mm_per_line,
            host_ns=time.monotonic_ns() if host_ns is None else host_ns,
            status=status,
            lost=(LineRange(start=first, stop=self.next_line),) if lost else (),
        )
