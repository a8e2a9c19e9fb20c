"""Video files, network streams and V4L2 devices as a strip, read by OpenCV."""

import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, BlockStatus
from stripscan.contract.errors import CameraError, CameraLost, ConfigError
from stripscan.runtime.sources.base import BlockCounter
from stripscan.runtime.sources.frames import Frame, FrameBuffer
from stripscan.runtime.station import CameraSection
from stripscan.runtime.station_sources import VideoSource

_log = logging.getLogger(__name__)

_LIVE_DEPTH = 8  # frames: a third of a second at 25 Hz
_FILE_DEPTH = 2
_JOIN_S = 0.5


class VideoFrames:
    """Area-scan frames as consecutive blocks.

    Frame ``k`` shows the lines from ``k * step``, top first. The first frame is a block as it
    is; of each later one only the last ``step`` lines are new. Frames that nobody took in time
    become lost lines. A thread of its own reads, so that a stream that hangs in the driver
    neither hangs :meth:`blocks` nor :meth:`stop`.
    """

    def __init__(self, source: VideoSource, camera: CameraSection) -> None:
        self._source = source
        self._counter = BlockCounter(camera=camera.name, mm_per_line=camera.mm_per_line)
        depth = _LIVE_DEPTH if source.live else _FILE_DEPTH
        self._buffer = FrameBuffer(name=_shown(source.uri), depth=depth, drop=source.live)
        self._timeout_s = source.timeout_s if source.live else None
        self._reader = threading.Thread(
            target=_read, args=(source, self._buffer), name="stripscan-video", daemon=True
        )
        self._first: Frame | None = None

    def __enter__(self) -> Self:
        if not self._source.live and not Path(self._source.uri).is_file():
            raise CameraError(f"no such video file: {self._source.uri}. Check source.uri")
        self._reader.start()
        try:
            self._first = self._buffer.take(self._timeout_s)
            self._check_first()
        except BaseException:
            self._close()
            raise
        return self

    def _check_first(self) -> None:
        """Refuse a video without frames, and a step that would leave gaps between frames."""
        if self._first is None:
            why = "was stopped before its first frame" if self._buffer.closed else "has no frames"
            raise CameraError(f"{_shown(self._source.uri)} {why}")
        height, step = self._first.pixels.shape[0], self._source.frame_step_lines
        if step is not None and step > height:
            raise ConfigError(
                f"source.frame_step_lines = {step}: a frame of {_shown(self._source.uri)} has "
                f"{height} lines, so it must be a whole number in lines, from 1 to {height}"
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._buffer.close()
        if self._reader.ident is None:
            return
        self._reader.join(_JOIN_S)
        if self._reader.is_alive():
            _log.warning("%s hangs in the driver and is left behind", _shown(self._source.uri))

    def blocks(self) -> Iterator[Block]:
        """Yield a block for each frame.

        Raises:
            CameraError: A frame has another size than the first.
            CameraLost: The stream ended.
            CameraTimeout: The stream is silent for ``timeout_s``.
        """
        first = self._first_frame()
        height = first.pixels.shape[0]
        step = self._source.frame_step_lines or height
        blank = np.zeros_like(first.pixels)
        if self._buffer.closed:
            return
        yield self._counter.block(first.pixels, host_ns=first.host_ns)
        while (frame := self._buffer.take(self._timeout_s)) is not None:
            self._check_size(frame, first)
            lost, pixels = frame.new_lines(step)
            for rest in range(lost, 0, -height):
                yield self._counter.block(
                    blank[:rest], status=BlockStatus.LOST_LINES, host_ns=frame.host_ns
                )
            yield self._counter.block(pixels, host_ns=frame.host_ns)

    def _check_size(self, frame: Frame, first: Frame) -> None:
        if frame.pixels.shape != first.pixels.shape:
            raise CameraError(
                f"{_shown(self._source.uri)} changed its frames from {_size(first)} to "
                f"{_size(frame)}: the image of one coil keeps its size"
            )

    def _first_frame(self) -> Frame:
        if self._first is None:
            raise RuntimeError("a video must be entered before its blocks are read")
        return self._first

    def stop(self) -> None:
        """Make :meth:`blocks` end at once; frames that wait are dropped."""
        self._buffer.close()

    @property
    def width_px(self) -> int:
        """Width of the first frame in px."""
        return int(self._first_frame().pixels.shape[1])

    @property
    def block_lines(self) -> int:
        """Lines of the first frame."""
        return int(self._first_frame().pixels.shape[0])

    @property
    def live(self) -> bool:
        """Whether this is a stream or a device, and no file."""
        return self._source.live

    @property
    def total_lines(self) -> int | None:
        """None: the count of frames that a container announces is not reliable."""
        return None


def _read(source: VideoSource, buffer: FrameBuffer) -> None:
    """Read frames into the buffer until it is closed or they end."""
    name = _shown(source.uri)
    try:
        capture = _capture(source)
        try:
            if not capture.isOpened():
                buffer.finish(CameraError(f"cannot open {name}. Check source.uri and the camera"))
                return
            count = _pump(capture, buffer)
            announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        finally:
            capture.release()
    except Exception as error:  # an error that ended this thread unseen would hang the taker
        _log.debug("reading %s failed", name, exc_info=True)
        buffer.finish(CameraError(f"{name} cannot be read: {error}"))
        return
    if source.live:
        buffer.finish(CameraLost(f"{name} ended after {count} frames. Check the camera"))
        return
    if count < announced and not buffer.closed:
        _log.warning("%s ended after %d of %d frames; is it whole?", name, count, announced)
    buffer.finish(None)


def _capture(source: VideoSource) -> cv2.VideoCapture:
    """Open a capture; one of the network gives up by itself after the timeout."""
    if source.uri.isdecimal():
        return cv2.VideoCapture(int(source.uri), cv2.CAP_V4L2)
    if source.uri.startswith("/dev/"):
        return cv2.VideoCapture(source.uri, cv2.CAP_V4L2)
    if not source.live:
        return cv2.VideoCapture(source.uri)
    timeout_ms = max(1, round(source.timeout_s * 1000))
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        timeout_ms,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        timeout_ms,
    ]
    return cv2.VideoCapture(source.uri, cv2.CAP_FFMPEG, limits)


def _pump(capture: cv2.VideoCapture, buffer: FrameBuffer) -> int:
    """Move frames until they end or nobody wants them; return how many there were."""
    count = 0
    while True:
        there, image = capture.read()
        if not there or not buffer.put(_mono(image)):
            return count
        count += 1


def _mono(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a frame as uint8 ``[lines, width]``; colour weighted as in ITU-R BT.601."""
    if image.dtype != np.uint8:
        raise CameraError(f"its frames hold {image.dtype}; set the camera to 8 bits")
    if image.ndim == 3 and image.shape[2] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(image.reshape(image.shape[:2]), np.uint8)


def _shown(uri: str) -> str:
    """Return the uri without a password."""
    return re.sub(r"://[^/@]*@", "://", uri)


def _size(frame: Frame) -> str:
    return f"{frame.pixels.shape[1]} x {frame.pixels.shape[0]} px"
