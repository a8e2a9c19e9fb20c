"""Several cameras as one source, whose blocks are as wide as all of them."""

import logging
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

from stripscan.contract.block import Block
from stripscan.contract.errors import CameraError
from stripscan.runtime.bands import Span
from stripscan.runtime.block_queue import BlockQueue
from stripscan.runtime.conditioning.station_field import station_flat_field
from stripscan.runtime.panorama.feeds import CameraFeeds, Given
from stripscan.runtime.panorama.field import joined_field
from stripscan.runtime.panorama.geometry import Share, View, share_out
from stripscan.runtime.panorama.joiner import LineJoiner
from stripscan.runtime.panorama.lane import Lane
from stripscan.runtime.panorama.sections import camera_stations, surface_stations
from stripscan.runtime.panorama.surface import Surface
from stripscan.runtime.sources.base import CountingSource, FrameSource
from stripscan.runtime.station import Station
from stripscan.runtime.trust import BlockTrust

logger = logging.getLogger(__name__)

_TURN_S = 0.1


class JoinedCameras:
    """All cameras of a station as one source behind a queue; a FrameSource and a BlockQueue.

    Each has an acquisition of its own, and its blocks are judged before they are joined. A live
    camera that fails for good ends nothing as long as another one runs: what it does not see is
    unknown.

    Args:
        station: The station.
        sources: The source of each camera, in the order of the file; entered here.
        acquire: Puts an entered source behind a queue.
    """

    def __init__(
        self,
        station: Station,
        sources: Sequence[FrameSource],
        *,
        acquire: Callable[[FrameSource], BlockQueue],
    ) -> None:
        self._station = station
        self._stations = camera_stations(station)
        self._sources = sources
        self._acquire = acquire
        self._entered = ExitStack()
        self._queues: list[BlockQueue] = []
        self._trusts = [BlockTrust(mm_per_px=s.camera.mm_per_px) for s in self._stations]
        self._surfaces: tuple[Surface, ...] = ()
        self._lanes: list[Lane] = []
        self._joiner: LineJoiner | None = None
        self._failed: dict[str, BaseException] = {}

    def __enter__(self) -> Self:
        """Take hold of all cameras.

        Raises:
            ConfigError: Their views leave metal out that nobody sees.
            StripscanError: One of them cannot be opened, or its flat field not be used.
        """
        with ExitStack() as stack:
            for source in self._sources:
                stack.enter_context(source)
            self._surfaces = self._laid_out()
            self._lanes = self._all_lanes()
            self._queues = [self._acquire(source) for source in self._sources]
            self._joiner = LineJoiner(
                self._lanes,
                surfaces=[surface.columns for surface in self._surfaces],
                name=self._station.name,
                mm_per_line=self._station.camera.mm_per_line,
                live=self.live,
                narrow=self._station.camera.strip_edges == "detect",
            )
            self._entered = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._entered.close()

    def blocks(self) -> Generator[Block, None, None]:
        """Yield joined blocks until all cameras have ended.

        Raises:
            StripscanError: What ended the last of the cameras, or the first one of files.
        """
        joiner = self._joiner
        if joiner is None:
            raise RuntimeError("a source must be entered before it is used")
        feeds = CameraFeeds([queue.blocks() for queue in self._queues])
        waiting: set[int] = set()  # cameras that are too far ahead to go on
        running = len(self._queues)
        try:
            while running:
                given, waited_s = feeds.take(_TURN_S)
                joiner.waited(waited_s)
                if given is not None and given.block is not None:
                    joiner.push(given.camera, given.block, self._judged(given.camera, given.block))
                    waiting.add(given.camera)
                elif given is not None:
                    running -= 1
                    self._note_end(given)
                    joiner.end(given.camera)
                yield from joiner.blocks()
                for camera in [n for n in waiting if not joiner.full(n)]:
                    waiting.remove(camera)
                    feeds.next(camera)
        finally:
            self.stop()
            feeds.close()
        if len(self._failed) == len(self._queues):
            raise next(iter(self._failed.values()))

    def stop(self) -> None:
        """Let all cameras end; blocks that have arrived are still yielded."""
        for source in self._sources:
            source.stop()
        for queue in self._queues:
            queue.stop()

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """What is inspected, the top first."""
        return self._surfaces

    @property
    def trouble(self) -> str:
        """Which cameras see nothing, in words; empty where all do."""
        silent = self._joiner.silent if self._joiner else ()
        told = [f"camera {name} sends no lines" for name in silent]
        told += [f"camera {name} has failed: {error}" for name, error in dict(self._failed).items()]
        return "; ".join(told)

    @property
    def width_px(self) -> int:
        """Width of the pictures of all surfaces together in px."""
        return sum(surface.width_px for surface in self._surfaces)

    @property
    def live(self) -> bool:
        """Whether lines come at their own pace."""
        return any(source.live for source in self._sources)

    @property
    def total_lines(self) -> int | None:
        """How many lines the strip has, where all sources know it."""
        totals = [
            source.total_lines - lane.offset_lines
            for source, lane in zip(self._sources, self._lanes, strict=True)
            if source.total_lines is not None
        ]
        return max(totals) if len(totals) == len(self._lanes) else None

    @property
    def waiting_blocks(self) -> int:
        """How many blocks wait behind the camera that is most behind."""
        return max(queue.waiting_blocks for queue in self._queues)

    @property
    def dropped_blocks(self) -> int:
        """How many blocks of all cameras the policy has dropped."""
        return sum(queue.dropped_blocks for queue in self._queues)

    @property
    def dropped_lines(self) -> int:
        """How many lines they had."""
        return sum(queue.dropped_lines for queue in self._queues)

    @property
    def stats(self) -> Mapping[str, int]:
        """What the sources have counted: together, and each behind its camera's name."""
        together: Counter[str] = Counter()
        each: dict[str, int] = {}
        for source, lane in zip(self._sources, self._lanes, strict=True):
            if isinstance(source, CountingSource):
                counted = source.stats
                together.update(counted)
                each |= {f"{lane.camera}: {name}": count for name, count in counted.items()}
        return {**together, **each}

    def _judged(self, camera: int, block: Block) -> tuple[Span, ...]:
        return self._trusts[camera].spans(block)

    def _note_end(self, given: Given) -> None:
        """Take note of why a camera ended; raise it where that is no matter of a camera.

        Raises:
            BaseException: What ended files, or was no failure of a camera.
        """
        error = given.error
        if error is None:
            return
        name = self._lanes[given.camera].camera
        if not (self._sources[given.camera].live and isinstance(error, CameraError)):
            raise error
        self._failed[name] = error
        logger.error("a camera has failed", extra={"camera": name, "reason": str(error)})

    def _laid_out(self) -> tuple[Surface, ...]:
        """Return the surfaces with the columns of their cameras."""
        widths = {
            station.camera.name: source.width_px
            for station, source in zip(self._stations, self._sources, strict=True)
        }
        left_mm = {view.name: (view.left_mm, view.mirrored) for view in self._station.view}
        fields = {
            s.camera.name: station_flat_field(s, width_px=widths[s.camera.name])
            for s in self._stations
        }
        surfaces: list[Surface] = []
        start = 0
        for station in surface_stations(self._station):
            views = [
                View(
                    camera=each.camera.name,
                    left_mm=left_mm[each.camera.name][0],
                    mirrored=left_mm[each.camera.name][1],
                    width_px=widths[each.camera.name],
                    mm_per_px=each.camera.mm_per_px,
                )
                for each in self._stations
                if each.camera.surface == station.camera.surface
            ]
            shares = share_out(station.camera.surface, views, mm_per_px=station.camera.mm_per_px)
            columns = slice(start, start + shares[-1].stop)
            start = columns.stop
            surfaces.append(
                Surface(
                    station=station,
                    columns=columns,
                    flat_field=joined_field(shares, fields),
                    shares=shares,
                    dead_columns=partial(self._dead_columns, [s.camera for s in shares]),
                )
            )
        return tuple(surfaces)

    def _all_lanes(self) -> list[Lane]:
        """Return the cameras in the order of the file."""
        placed = {
            share.camera: (share, surface.columns.start)
            for surface in self._surfaces
            for share in surface.shares
        }
        mm_per_line = self._station.camera.mm_per_line
        offsets = [round(view.offset_mm / mm_per_line) for view in self._station.view]
        lanes = []
        for view, offset in zip(self._station.view, offsets, strict=True):
            share, start = placed[view.name]
            lanes.append(_lane(share, start, offset - min(offsets)))
        return lanes

    def _dead_columns(self, cameras: Sequence[str]) -> str:
        known = zip(self._stations, self._trusts, strict=True)
        return "; ".join(
            f"{station.camera.name}: {trust.dead_columns}"
            for station, trust in known
            if station.camera.name in cameras and trust.dead_columns
        )


def _lane(share: Share, start: int, offset_lines: int) -> Lane:
    columns = slice(start + share.start, start + share.stop)
    return Lane(share=share, columns=columns, offset_lines=offset_lines)
