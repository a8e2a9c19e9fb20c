"""Acquisition in a process of its own: neither the model nor the store delays the camera."""

import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Self

from stripscan.contract.block import Block
from stripscan.contract.errors import CameraError, CameraLost, CameraTimeout, StripscanError
from stripscan.runtime.acquisition_link import (
    AcquisitionChild,
    Counts,
    Ended,
    Opened,
    Opener,
    Setup,
    Start,
)
from stripscan.runtime.continued import ContinuedLines
from stripscan.runtime.ring import RingReader
from stripscan.runtime.ring_memory import RingHandles, RingShape
from stripscan.runtime.sources import open_source
from stripscan.runtime.station import Station
from stripscan.runtime.station_genicam import FREE, GenicamSource
from stripscan.runtime.station_sources import VideoSource

logger = logging.getLogger(__name__)

_RESTARTS = 5
_RESTARTS_WITHIN_S = 60.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_PATIENCE_S = 60.0
_END_S = 8.0  # longer than a process gives a driver that hangs


class AcquisitionProcess:
    """The source of a station in a process of its own, behind a ring of blocks; a FrameSource.

    A process that dies is started again where its source is a camera: what passed meanwhile is
    lost lines. More than five deaths within a minute end the coil, and so does the first one of
    any other source, which could not go on where it was.

    Pixels of a block lie in the ring: they are valid until the next but one block is asked for.

    Args:
        station: What is opened, and the queue.
        opener: How, in the process; a function of a module.
    """

    def __init__(self, station: Station, *, opener: Opener = open_source) -> None:
        level = logging.getLogger("stripscan").getEffectiveLevel()
        self._setup = Setup(station=station, opener=opener, log_level=level)
        self._station = station
        self._handles: RingHandles | None = None
        self._thread = threading.Thread(target=self._supervise, name="acquisition", daemon=True)
        self._stop = threading.Event()
        self._child: AcquisitionChild | None = None
        self._opened: Opened | None = None
        self._produced: list[int] = []  # lines that each process had that died
        self._deaths: deque[float] = deque(maxlen=_RESTARTS)
        self._gone = False
        self._ended = False
        self._error: BaseException | None = None
        self._counts: Counter[str] = Counter()  # of processes that are gone
        self._counts_now: Mapping[str, int] = {}

    def __enter__(self) -> Self:
        """Start the process and wait until it has the source.

        Raises:
            StripscanError: What kept it from the source.
        """
        handles = self._handles = RingHandles.create()
        child: AcquisitionChild | None = None
        try:
            child = self._start_child(handles)
            self._opened = child.answer()
            self._shape = RingShape(
                camera=self._station.camera.name,
                width_px=self._opened.width_px,
                block_lines=self._opened.block_lines,
                queue_blocks=self._station.pipeline.queue_blocks,
            )
            self._ring = RingReader(handles, self._shape)
        except BaseException:
            if child is not None:
                self._end(child)
            self._close_handles()
            raise
        self._lines = ContinuedLines(
            camera=self._shape.camera,
            width_px=self._shape.width_px,
            mm_per_line=self._station.camera.mm_per_line,
            line_rate_hz=_line_rate_hz(self._station),
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.stop()
        self._thread.join(_END_S)
        if self._thread.is_alive() and self._child is not None:
            logger.warning("the acquisition process hangs and is killed")
            self._child.kill()
            self._thread.join()
        self._close_handles()

    def _close_handles(self) -> None:
        handles, self._handles = self._handles, None
        if handles is not None:
            handles.close()

    def blocks(self) -> Generator[Block, None, None]:
        """Yield blocks until the source has ended and the ring is empty.

        Raises:
            CameraLost: The process died, and could not be started again.
            StripscanError: What ended the source, after its last block was yielded.
        """
        self._tell_to_start()
        session = 0
        while True:
            ended = self._ended
            taken = self._ring.take()
            if taken is None:
                if ended:
                    break
                self._ring.wait()
                continue
            number, block = taken
            if number != session:
                produced = sum(self._produced[session:number])
                yield from self._lines.resumed(block, produced=produced)
                session = number
            yield self._lines.placed(block)
        if self._gone:
            now_ns = time.monotonic_ns() if is_camera(self._station) else None
            produced = sum(self._produced[session:])
            yield from self._lines.rest(produced=produced, host_ns=now_ns)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Let the source end; blocks that have arrived are still yielded."""
        self._stop.set()
        if self._child is not None:
            self._child.stop()

    def _start_child(self, handles: RingHandles) -> AcquisitionChild:
        child = self._child = AcquisitionChild(self._setup, handles)
        if self._stop.is_set():  # it was set before this one was there to be told
            child.stop()
        return child

    def _tell_to_start(self) -> None:
        if self._child is not None:
            drops = self.live and self._station.pipeline.drops
            session = len(self._produced)
            self._child.send(Start(shape=self._shape, session=session, drops=drops))

    @staticmethod
    def _end(child: AcquisitionChild) -> None:
        child.kill()
        child.close()

    def _supervise(self) -> None:
        """Follow the process, and those that take its place, until the source has ended."""
        try:
            child = self._child
            while child is not None:
                fate = self._follow(child)
                child = None if fate is None else self._replaced(fate)
        except BaseException as error:
            self._error = error
        finally:
            self._ended = True
            self._ring.wake()

    def _follow(self, child: AcquisitionChild) -> str | None:
        """Listen to a process until it is gone; return how it died, None if it had ended.

        A camera may go on sending to the process before, which is dead, and stays silent for the
        next one: to be opened once more brings it to its senses.

        Raises:
            StripscanError: What ended its source.
        """
        end: Ended | None = None
        with contextlib.closing(child):
            for message in child.messages():
                if isinstance(message, Counts):
                    self._counts_now = message.counts
                elif isinstance(message, Ended):
                    end = message
        if end is None or end.error is None:
            return None if end is not None else child.fate()
        if end.error is CameraTimeout and self._produced and not self._ring.produced:
            return f"heard nothing: {end.message}"
        raise end.error(end.message)

    def _replaced(self, fate: str) -> AcquisitionChild | None:
        """Return a process in the place of one that died; None if that is not wanted any more.

        Raises:
            CameraLost: There is none.
        """
        self._gone = True
        self._produced.append(self._ring.produced)
        self._counts.update(self._counts_now)
        self._counts_now = {}
        if self._stop.is_set():
            return None
        logger.error("acquisition process is gone", extra={"fate": fate})
        now_s = time.monotonic()
        often = len(self._deaths) == _RESTARTS and now_s - self._deaths[0] < _RESTARTS_WITHIN_S
        self._deaths.append(now_s)
        if often or not is_camera(self._station):
            times = f" {_RESTARTS + 1} times within {_RESTARTS_WITHIN_S:g} s" if often else ""
            raise CameraLost(
                f"the acquisition process {fate}{times}. The kernel's log ('dmesg') tells whether "
                "memory was short or a driver failed"
            )
        self._ring.reclaim()
        return self._started_again(fate)

    def _started_again(self, fate: str) -> AcquisitionChild | None:
        source = self._station.source
        patience_s = source.reconnect_s if isinstance(source, GenicamSource) else _PATIENCE_S
        limit_s, pause_s = time.monotonic() + patience_s, _FIRST_PAUSE_S
        while not self._stop.wait(pause_s) and self._handles is not None:
            child = self._start_child(self._handles)
            try:
                self._check_same(child.answer())
            except StripscanError as error:  # a camera obeys one that died for some seconds
                self._end(child)
                if time.monotonic() >= limit_s:
                    raise CameraLost(
                        f"the acquisition process {fate}, and the camera could not be opened "
                        f"again within {patience_s:g} s: {error}"
                    ) from error
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            self._gone = False
            self._tell_to_start()
            logger.warning("acquisition process was started again")
            return child
        return None

    def _check_same(self, opened: Opened) -> None:
        if (opened.width_px, opened.block_lines) != (self._shape.width_px, self._shape.block_lines):
            raise CameraError(
                f"it is back with blocks of {opened.width_px} px by {opened.block_lines} lines in "
                f"place of {self._shape.width_px} px by {self._shape.block_lines} lines"
            )

    @property
    def width_px(self) -> int:
        """Width of all blocks in px."""
        return self._known.width_px

    @property
    def live(self) -> bool:
        """Whether lines come at their own pace."""
        return self._known.live

    @property
    def total_lines(self) -> int | None:
        """How many lines the strip has, where the source knows it."""
        return self._known.total_lines

    @property
    def _known(self) -> Opened:
        if self._opened is None:
            raise RuntimeError("a source must be entered before it is used")
        return self._opened

    @property
    def waiting_blocks(self) -> int:
        """How many blocks wait."""
        return self._ring.waiting

    @property
    def dropped_blocks(self) -> int:
        """How many blocks made room for newer ones."""
        return self._ring.dropped_blocks

    @property
    def dropped_lines(self) -> int:
        """How many lines they had."""
        return self._ring.dropped_lines

    @property
    def stats(self) -> Mapping[str, int]:
        """What the source has counted, the lines that passed without it, and its restarts."""
        counts = self._counts + Counter(self._counts_now)
        if self._lines.lost_lines:
            counts["lines_lost"] += self._lines.lost_lines
        deaths = len(self._produced)
        return {**self._counts_now, **counts, "acquisition_deaths": deaths}


def is_camera(station: Station) -> bool:
    """Return whether the source of a station goes on where it is opened again."""
    source = station.source
    return isinstance(source, GenicamSource) or (isinstance(source, VideoSource) and source.live)


def _line_rate_hz(station: Station) -> float | None:
    source = station.source
    if isinstance(source, GenicamSource) and source.trigger == FREE:
        return source.line_rate_hz
    return None
