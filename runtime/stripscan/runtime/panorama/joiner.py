"""Blocks of several cameras become blocks of one, as wide as all of them, on common lines."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, BlockStatus
from stripscan.contract.coverage import CoverageStatus
from stripscan.runtime.bands import TOO_SLOW, Span
from stripscan.runtime.panorama.beside import look_past_the_strip
from stripscan.runtime.panorama.geometry import Pixels
from stripscan.runtime.panorama.lane import LONGEST_PATIENCE_S, LOST, NOT_YET, OVER, SILENT, Lane
from stripscan.runtime.panorama.placing import NEAR_LINES, counts_tell, place_again, place_all
from stripscan.runtime.trust import NO_SIGNAL

logger = logging.getLogger(__name__)

_PAGE_LINES = 512
_LIMIT_BLOCKS = 4
_NEVER_CAME = (LOST, SILENT, TOO_SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedBlock(Block):
    """Lines of all cameras side by side, the surfaces one after the other.

    Attributes:
        spans: What each camera did not see of them as it should; lines that no span names were
            seen.
    """

    spans: tuple[Span, ...] = ()

    @property
    def lost_lines(self) -> int:
        """Lines that came from no camera, or were given up, summed over the cameras."""
        return sum(span.lines.lines for span in self.spans if span.reason in _NEVER_CAME)


class LineJoiner:
    """Puts the lines of cameras side by side, without threads and clocks.

    The pixels of a block are copied once, to their place. Lines are given out when all cameras
    that are waited for have them. Where a camera has none, its columns keep its last line that
    was measured, so that the model sees no border there, or mirror those beside them; that it
    did not see them is told with the block.

    Args:
        lanes: The cameras; columns of one surface lie side by side, in order.
        surfaces: Columns of each surface.
        name: Name of the blocks' camera.
        mm_per_line: Way of the strip from line to line, in mm.
        live: Whether a camera that is silent is given up: files are waited for.
        narrow: Whether the strip may end before the outer cameras.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        *,
        surfaces: Sequence[slice],
        name: str,
        mm_per_line: float,
        live: bool,
        narrow: bool = True,
    ) -> None:
        self._lanes = lanes
        self._narrow = narrow
        self._surfaces = surfaces
        self._width = max(columns.stop for columns in surfaces)
        self._name = name
        self._mm_per_line = mm_per_line
        self._live = live
        self._held: list[list[Block]] | None = [[] for _ in lanes]  # until all have begun
        self._held_s = 0.0
        self._pages: dict[int, Pixels] = {}
        self._given = 0  # lines up to here were given out
        self._limit = NEAR_LINES
        self._host_ns = 0

    def push(self, number: int, block: Block, spans: tuple[Span, ...]) -> None:
        """Take in a block; its pixels are not needed afterwards.

        Args:
            number: Which camera's.
            block: Its next block.
            spans: What cannot be trusted of it.
        """
        lane = self._lanes[number]
        self._limit = max(self._limit, _LIMIT_BLOCKS * block.lines.lines)
        if self._live and sum(hole.lines for hole in block.lost) == block.lines.lines:
            # How many passed while the camera was away is a guess: the others know.
            lane.astray = lane.silent = True
            return
        if self._held is None:
            self._take(lane, block, spans)
            return
        if lane.astray:
            return  # how far it went meanwhile the others tell once all have begun
        kept = dataclasses.replace(block, pixels=block.pixels.copy())
        self._held[number].append(kept)
        lane.spans += [dataclasses.replace(span, camera=lane.camera) for span in spans]
        self._begin_if_ready(self._held)

    def waited(self, seconds: float) -> None:
        """Tell that for some time nothing has come."""
        if not self._live:
            return
        held = self._held
        top = max(lane.arrived for lane in self._lanes)
        for number, lane in enumerate(self._lanes):
            behind = not held[number] and any(held) if held is not None else lane.arrived < top
            if not (lane.awaited and behind):
                continue
            lane.waited_s += seconds
            if lane.waited_s > lane.patience_s:
                self._give_up(lane)
        if held is not None:
            self._held_s += seconds if any(held) else 0.0
            self._begin_if_ready(held)

    def end(self, number: int) -> None:
        """Tell that nothing comes any more from a camera."""
        self._lanes[number].ended = True
        if self._held is not None:
            self._begin_if_ready(self._held)

    def full(self, number: int) -> bool:
        """Return whether a camera is so far ahead that the others must come up with it first."""
        if self._held is not None:
            return sum(block.lines.lines for block in self._held[number]) > self._limit
        return self._lanes[number].arrived - self._given > self._limit

    def blocks(self) -> Iterator[JoinedBlock]:
        """Yield what is complete, or will not get any better."""
        if self._held is not None:
            return
        waited_for = [lane.arrived for lane in self._lanes if lane.awaited]
        top = max(lane.arrived for lane in self._lanes)
        target = min(waited_for, default=top)
        while self._given < target:
            stops = [target, (self._given // _PAGE_LINES + 1) * _PAGE_LINES]
            for lane in self._lanes:
                stops += [lane.measured_from or 0, *(n for dark in lane.dark for n in dark[:2])]
            stop = min(stop for stop in stops if stop > self._given)
            yield self._block(self._given, stop)

    @property
    def silent(self) -> tuple[str, ...]:
        """Names of the cameras that are not waited for, though they have not ended."""
        return tuple(lane.camera for lane in self._lanes if lane.silent and not lane.ended)

    def _begin_if_ready(self, held: list[list[Block]]) -> None:
        """Place all cameras once each has come, and their counts can be read, or never will."""
        late = any(lane.awaited and not b for lane, b in zip(self._lanes, held, strict=True))
        unread = not counts_tell(held) and any(lane.awaited for lane in self._lanes)
        over = self._held_s > LONGEST_PATIENCE_S or any(map(self.full, range(len(held))))
        if not any(held) or ((late or unread) and not over):
            return
        if over:
            for lane, blocks in zip(self._lanes, held, strict=True):
                if lane.awaited and not blocks and self._live:
                    self._give_up(lane)
        if late and not self._live:
            return
        self._held = None
        place_all(self._lanes, held)
        for lane, blocks in zip(self._lanes, held, strict=True):
            told, lane.spans = lane.spans, []
            for block in blocks:
                self._take(lane, block, tuple(told), placed=True)

    def _take(
        self, lane: Lane, block: Block, spans: tuple[Span, ...], *, placed: bool = False
    ) -> None:
        astray = lane.astray
        if lane.lead is None or (astray and not placed):
            others = [o for o in self._lanes if o is not lane and o.lead is not None]
            told = place_again(lane, block, others, live=self._live)
            if astray and not told and any(other.awaited for other in others):
                lane.silent = True
                return  # in the wrong place it would count as seen; the others know soon
            lane.astray = False
        lane.note(block)
        first, stop = block.first_line + lane.shift, block.lines.stop + lane.shift
        if lane.silent:
            logger.info("a camera is back", extra={"camera": lane.camera})
            lane.silent, lane.waited_s = False, 0.0
        if stop <= lane.arrived:
            return  # too late; the others wait now, so that one of the next is not
        lane.waited_s = 0.0
        if first > lane.arrived:
            self._skip(lane, first, 0 if astray else block.dropped_before, astray=astray)
        self._write(lane, block, spans)
        lane.arrived = stop
        for other in self._lanes:
            if self._live and other.awaited and stop - other.arrived > self._limit:
                self._give_up(other)

    def _give_up(self, lane: Lane) -> None:
        lane.silent = True
        logger.warning(
            "a camera is silent: what it does not see is unknown", extra={"camera": lane.camera}
        )

    def _skip(self, lane: Lane, first: int, dropped: int, *, astray: bool) -> None:
        """Leave out lines of a camera up to one that it has."""
        start = lane.arrived
        if lane.measured_from is None:
            lane.miss(start, first, CoverageStatus.UNKNOWN, NOT_YET)
        elif astray:
            lane.miss(start, first, CoverageStatus.UNKNOWN, LOST)
        else:
            slow = min(max(first - dropped, start), first)
            lane.miss(start, slow, CoverageStatus.DROPPED, LOST)
            lane.miss(slow, first, CoverageStatus.DROPPED, TOO_SLOW)
        self._fill(lane, start, first)

    def _write(self, lane: Lane, block: Block, spans: tuple[Span, ...]) -> None:
        shift, start = lane.shift, max(lane.arrived, block.first_line + lane.shift)
        unknown = lane.unmeasured(block, spans)[start - shift - block.first_line :]
        fresh = block.pixels[start - shift - block.first_line :]
        for span in (
            *spans,
            *(Span(lines=hole, status=CoverageStatus.UNKNOWN, reason=LOST) for hole in block.lost),
        ):
            lines = (max(span.lines.start + shift, start), span.lines.stop + shift)
            lane.miss(lines[0], min(lines[1], start + len(fresh)), span.status, span.reason)
        if self._narrow:
            lane.keep_dark(block, spans, first=start)
        rows = np.flatnonzero(~unknown)
        if len(rows) and lane.measured_from is None:
            lane.measured_from = start + int(rows[0])
        at = 0
        for target in self._rows(lane, start, start + len(fresh)):
            part = slice(at, at + len(target))
            lane.share.write(fresh[part], target)
            self._hold(lane, target, unknown[part])
            at = part.stop

    @staticmethod
    def _hold(lane: Lane, target: Pixels, unknown: NDArray[np.bool_]) -> None:
        """Put the last measured line in place of each that was not measured."""
        if unknown.any():
            source = np.maximum.accumulate(np.where(unknown, -1, np.arange(len(unknown))))
            inside = unknown & (source >= 0)
            target[inside] = target[source[inside]]
            if lane.last is not None:
                target[source < 0] = lane.last
        measured = np.flatnonzero(~unknown)
        if len(measured):
            lane.last = target[measured[-1]].copy()

    def _fill(self, lane: Lane, start: int, stop: int) -> None:
        if lane.last is not None:
            for target in self._rows(lane, start, stop):
                target[:] = lane.last

    def _rows(self, lane: Lane, start: int, stop: int) -> Iterator[Pixels]:
        """Yield the places of lines of a camera, page by page."""
        while start < stop:
            page = start // _PAGE_LINES
            pixels = self._pages.get(page)
            if pixels is None:
                pixels = self._pages[page] = np.zeros((_PAGE_LINES, self._width), np.uint8)
            first = start - page * _PAGE_LINES
            rows = slice(first, min(first + stop - start, _PAGE_LINES))
            yield pixels[rows, lane.columns]
            start += rows.stop - rows.start

    def _block(self, start: int, stop: int) -> JoinedBlock:
        told: dict[str, list[Span]] = {}
        for lane in self._lanes:
            if lane.arrived < stop:
                begin = max(lane.arrived, start)
                reason = (
                    OVER if lane.ended else SILENT if lane.measured_from is not None else NOT_YET
                )
                lane.miss(begin, stop, CoverageStatus.UNKNOWN, reason)
                self._fill(lane, begin, stop)
                lane.arrived = stop
            told[lane.camera] = lane.missed(start, stop)
        page = start // _PAGE_LINES
        first = start - page * _PAGE_LINES
        pixels = self._pages[page][first : first + stop - start]
        for surface in self._surfaces:
            lanes = self._across(surface)
            _mirror(lanes, pixels, start)
            if self._narrow:
                _forgive(lanes, pixels, start, told)
        pixels.flags.writeable = False
        if stop % _PAGE_LINES == 0:
            del self._pages[page]
        self._given = stop
        self._host_ns = max(self._host_ns, *(lane.seen_ns(stop - 1) for lane in self._lanes))
        return JoinedBlock(
            pixels=pixels,
            camera=self._name,
            first_line=start,
            along_m=start * self._mm_per_line / 1000,
            mm_per_line=self._mm_per_line,
            host_ns=self._host_ns,
            status=BlockStatus.COMPLETE,
            spans=tuple(span for spans in told.values() for span in spans),
        )

    def _across(self, surface: slice) -> list[Lane]:
        """Return the cameras of a surface from left to right."""
        lanes = [lane for lane in self._lanes if surface.start <= lane.columns.start < surface.stop]
        return sorted(lanes, key=lambda lane: lane.columns.start)


def _mirror(lanes: Sequence[Lane], pixels: Pixels, start: int) -> None:
    """Fill the columns of cameras that have measured nothing yet from those beside them."""
    known = [
        lane for lane in lanes if lane.measured_from is not None and lane.measured_from <= start
    ]
    for lane in lanes:
        if known and lane not in known:
            near = min(known, key=lambda other: abs(other.columns.start - lane.columns.start))
            _reflect(pixels, near.columns, lane.columns)


def _forgive(
    lanes: Sequence[Lane], pixels: Pixels, start: int, told: dict[str, list[Span]]
) -> None:
    """Take nothing for unknown that is only dark because the strip does not reach there."""
    stop = start + len(pixels)
    dark = {
        n: seen
        for n, lane in enumerate(lanes)
        if (seen := lane.dark_lines(start, stop)) is not None
    }
    if not dark:
        return
    blind = [
        n
        for n, lane in enumerate(lanes)
        if n not in dark and any(s.status is CoverageStatus.UNKNOWN for s in told[lane.camera])
    ]
    for place in look_past_the_strip(pixels, [lane.columns for lane in lanes], dark, blind):
        name = lanes[place].camera
        told[name] = [span for span in told[name] if span.reason not in NO_SIGNAL]


def _reflect(pixels: Pixels, known: slice, unknown: slice) -> None:
    """Mirror known columns over the seam into unknown ones."""
    metal = pixels[:, known]
    if unknown.start >= known.stop:
        wide = np.pad(metal, ((0, 0), (0, unknown.stop - known.stop)), mode="symmetric")
        pixels[:, unknown] = wide[:, unknown.start - known.start :]
    else:
        wide = np.pad(metal, ((0, 0), (known.start - unknown.start, 0)), mode="symmetric")
        pixels[:, unknown] = wide[:, : unknown.stop - unknown.start]
