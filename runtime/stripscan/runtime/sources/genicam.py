"""GigE Vision and USB3 Vision line cameras as a source, with every line that was lost."""

import dataclasses
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, BlockStatus, LineRange
from stripscan.contract.errors import (
    CameraError,
    CameraLost,
    CameraTimeout,
    DataError,
    StripscanError,
)
from stripscan.runtime.conditioning.transfer import to_uint8
from stripscan.runtime.sources.aravis_camera import AravisCamera, Arrival
from stripscan.runtime.sources.base import BlockCounter
from stripscan.runtime.sources.gaps import FrameMark, GapMeter
from stripscan.runtime.station import CameraSection
from stripscan.runtime.station_genicam import FREE, GenicamSource

logger = logging.getLogger(__name__)

_POLL_S = 0.1
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 1.0  # and one search takes up to 2.5 s, so the camera is found within 5 s
_LOST_BLOCK_LINES = 4096

Grey = NDArray[np.uint8] | NDArray[np.uint16]


class GenicamFrames:
    """Blocks of one camera, as Aravis receives them.

    Lines that did not come are lost lines in the blocks, or blocks of their own. A camera that is
    gone is looked for until it is back; the strip that passed meanwhile is lost lines as well, by
    the encoder where the camera sends its count, or else by time and the rate of lines before.
    """

    def __init__(self, source: GenicamSource, camera: CameraSection) -> None:
        self._source = source
        self._camera = camera
        self._counter = BlockCounter(camera=camera.name, mm_per_line=camera.mm_per_line)
        self._meter = GapMeter(source.line_rate_hz if source.trigger == FREE else None)
        self._stop = threading.Event()
        self._lock = threading.Lock()  # the camera is closed by one thread and read by another
        self._device: AravisCamera | None = None
        self._width_px = 0
        self._heard_s = 0.0
        self._limit_s: float | None = None  # until when a camera that sends nothing is waited for
        self._losses = 0
        self._totals = Counter({"lines_lost": 0, "reconnects": 0})

    def __enter__(self) -> Self:
        self._device = AravisCamera(self._source)
        self._width_px = self._device.width_px
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        with self._lock:
            self._close()

    def blocks(self) -> Iterator[Block]:
        """Yield a block for each that the camera sends, and blocks for what it did not send.

        Raises:
            CameraError: A grey value needs more bits than the station says.
            CameraLost: The camera was gone for longer than ``reconnect_s``.
            CameraTimeout: It runs freely and sent nothing for ``timeout_s``.
        """
        if self._stop.is_set():
            return
        if self._device is None:
            raise RuntimeError("a camera must be entered before its blocks are read")
        self._device.start()
        self._heard_s = time.monotonic()
        while (taken := self._take()) is not None:
            arrival, lost = taken
            if arrival is not None:
                self._heard_s, self._limit_s = time.monotonic(), None
                yield from self._delivered(arrival)
            elif lost or self._silent():
                yield from self._reconnect()

    def _take(self) -> tuple[Arrival | None, bool] | None:
        """Return what came, and whether the camera is gone; None once the source is stopped."""
        with self._lock:
            if self._stop.is_set() or self._device is None:
                return None
            return self._device.take(_POLL_S), self._device.lost

    def _delivered(self, arrival: Arrival) -> Iterator[Block]:
        mark = FrameMark(
            lines=arrival.pixels.shape[0],
            host_ns=arrival.host_ns,
            frame_id=arrival.frame_id,
            encoder_count=arrival.encoder_count,
        )
        yield from self._lost(self._meter.lines_before(mark), arrival.host_ns)
        yield self._block(arrival)

    def _block(self, arrival: Arrival) -> Block:
        block = self._counter.block(self._grey(arrival.pixels), host_ns=arrival.host_ns)
        first, lines = block.first_line, block.pixels.shape[0]
        lost = tuple(LineRange(start=first + a, stop=first + b) for a, b in arrival.lost)
        status = BlockStatus.COMPLETE
        if lost:
            status = BlockStatus.LOST_LINES
            self._count_lost(sum(each.lines for each in lost))
        elif lines < self._source.block_lines:
            status = BlockStatus.PARTIAL
        return dataclasses.replace(
            block,
            status=status,
            lost=lost,
            encoder_count=arrival.encoder_count,
            camera_ns=arrival.camera_ns,
        )

    def _grey(self, pixels: Grey) -> NDArray[np.uint8]:
        if pixels.dtype == np.uint8:
            return np.asarray(pixels, np.uint8)
        deep = np.asarray(pixels, np.uint16)
        try:
            return to_uint8(deep, bits=self._camera.bits, transfer=self._camera.transfer)
        except DataError as error:
            raise CameraError(f"camera {self._source.id}: {error}") from error

    def _lost(self, lines: int, host_ns: int) -> Iterator[Block]:
        """Yield blocks without a picture for lines that passed and were not received."""
        if lines:
            self._count_lost(lines)
        for rest in range(lines, 0, -_LOST_BLOCK_LINES):
            blank = np.zeros((min(rest, _LOST_BLOCK_LINES), self._width_px), np.uint8)
            yield self._counter.block(blank, status=BlockStatus.LOST_LINES, host_ns=host_ns)

    def _count_lost(self, lines: int) -> None:
        self._totals["lines_lost"] += lines
        self._losses += 1
        if self._losses.bit_count() == 1:  # 1, 2, 4, 8 …: no flood of lines
            logger.warning("lines lost", extra={"lines": lines, "losses": self._losses})

    def _silent(self) -> bool:
        """Return whether a camera that should send says nothing.

        Raises:
            CameraTimeout: It never did: what keeps its packets away will not pass.
        """
        if self._source.trigger != FREE:
            return False  # the strip stands still
        if time.monotonic() - self._heard_s < self._source.timeout_s:
            return False
        if self._counter.next_line:
            return True
        raise CameraTimeout(
            f"camera {self._source.id} answers and sent no block for {self._source.timeout_s:g} s. "
            "Check that the firewall lets its UDP packets in, and that source.packet_bytes fits "
            "the MTU of the network card"
        )

    def _reconnect(self) -> Iterator[Block]:
        """Look for the camera until it is back; meanwhile yield the strip that passes.

        Raises:
            CameraLost: It did not come back.
        """
        logger.warning("camera is gone", extra={"camera": self._source.id})
        self._meter.interrupt()
        with self._lock:
            self._close(gone=True)
        if self._limit_s is None:
            self._limit_s = time.monotonic() + self._source.reconnect_s
        pause_s, why = _FIRST_PAUSE_S, "it answers and sends nothing"
        while not self._stop.wait(pause_s) and time.monotonic() < self._limit_s:
            yield from self._passed()
            try:
                self._open_again()
                break
            except StripscanError as error:
                why = str(error)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        if self._device is None:
            yield from self._passed(final=True)
            if not self._stop.is_set():
                raise CameraLost(
                    f"camera {self._source.id} did not come back within "
                    f"{self._source.reconnect_s:g} s: {why}"
                )

    def _open_again(self) -> None:
        device = AravisCamera(self._source)
        try:
            if device.width_px != self._width_px:
                raise CameraError(
                    f"it is back with a width of {device.width_px} px in place of "
                    f"{self._width_px} px"
                )
            device.start()
        except BaseException:
            device.close()
            raise
        with self._lock:
            self._device = device
            if self._stop.is_set():
                self._close()
        self._heard_s = time.monotonic()
        self._totals["reconnects"] += 1
        logger.warning("camera is back", extra={"camera": self._source.id})

    def _passed(self, *, final: bool = False) -> Iterator[Block]:
        now_ns = time.monotonic_ns()
        yield from self._lost(self._meter.passed(now_ns, final=final), now_ns)

    def _close(self, *, gone: bool = False) -> None:
        if self._device is None:
            return
        self._totals.update(self._device.statistics())
        self._device.close(gone=gone)
        self._device = None
        logger.info("camera closed", extra={"camera": self._source.id, **self._totals})

    def stop(self) -> None:
        """Make :meth:`blocks` end within some tenths of a second, while it connects in seconds."""
        self._stop.set()

    @property
    def width_px(self) -> int:
        """Width of the camera's image in px."""
        return self._width_px

    @property
    def block_lines(self) -> int:
        """Lines of a full block."""
        return self._source.block_lines

    @property
    def live(self) -> bool:
        """True: a camera does not wait."""
        return True

    @property
    def total_lines(self) -> int | None:
        """None: a camera does not know where the coil ends."""
        return None

    @property
    def stats(self) -> Mapping[str, int]:
        """Lines lost, reconnects, and the packets and blocks that the receiver counted."""
        now = Counter(self._totals)
        now.update(self._device.statistics() if self._device is not None else {})
        return dict(now)
