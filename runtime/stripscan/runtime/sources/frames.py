"""The hand-over of camera frames from the thread that reads them."""

import dataclasses
import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import CameraError, CameraTimeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One area-scan picture.

    Attributes:
        pixels: uint8 ``[lines, width]``.
        host_ns: ``time.monotonic_ns()`` of the moment when it was in memory.
        dropped_before: How many frames were dropped between this one and the one before.
    """

    pixels: NDArray[np.uint8]
    host_ns: int
    dropped_before: int = 0

    def new_lines(self, step_lines: int) -> tuple[int, NDArray[np.uint8]]:
        """Return how many lines were lost before this frame, and those that are new in it.

        Args:
            step_lines: Lines by which the strip moves from frame to frame, at most the height.

        Returns:
            A count, and uint8 ``[lines, width]``: the last lines of the frame. Dropped frames
            lose only what this frame does not show as well.
        """
        moved, height = (self.dropped_before + 1) * step_lines, self.pixels.shape[0]
        return max(0, moved - height), self.pixels[max(0, height - moved) :]


class FrameBuffer:
    """A bounded queue between one reading thread and one taking thread.

    A full queue makes the reader wait, or, with ``drop``, loses its oldest frame and counts it:
    a late consumer then sees fresh frames and knows how many are missing.
    """

    def __init__(self, *, name: str, depth: int, drop: bool) -> None:
        self._name = name
        self._depth = depth
        self._drop = drop
        self._frames: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._ended = False
        self._error: CameraError | None = None

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def put(self, pixels: NDArray[np.uint8]) -> bool:
        """Hand over a frame that is just in memory; False says that nobody wants more."""
        frame = Frame(pixels=pixels, host_ns=time.monotonic_ns())
        with self._changed:
            if not self._drop:
                self._changed.wait_for(lambda: self._closed or len(self._frames) < self._depth)
            if self._closed:
                return False
            self._frames.append(frame)
            if len(self._frames) > self._depth:
                dropped = self._frames.popleft()
                count = self._frames[0].dropped_before + dropped.dropped_before + 1
                self._frames[0] = dataclasses.replace(self._frames[0], dropped_before=count)
            self._changed.notify_all()
            return True

    def finish(self, error: CameraError | None) -> None:
        """Say that no frame follows, and why if that is an error."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def take(self, timeout_s: float | None) -> Frame | None:
        """Return the next frame, or None after the last one and after :meth:`close`.

        Args:
            timeout_s: How long to wait in s; None waits until something happens.

        Raises:
            CameraError: What the reader gave to :meth:`finish`, after the frames before it.
            CameraTimeout: No frame came in time.
        """
        with self._changed:
            ready = self._changed.wait_for(
                lambda: self._closed or self._frames or self._ended, timeout_s
            )
            if self._closed:
                return None
            if self._frames:
                frame = self._frames.popleft()
                self._changed.notify_all()
                return frame
            if not ready:
                raise CameraTimeout(
                    f"{self._name} gave no frame for {timeout_s:g} s. Check the camera, its "
                    "cable and its trigger, or raise source.timeout_s"
                )
            if self._error is not None:
                raise self._error
            return None

    def close(self) -> None:
        """End both sides now, from any thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
