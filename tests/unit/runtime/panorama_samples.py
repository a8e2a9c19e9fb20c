"""What tests of several cameras share: a wide strip, cameras over it, and a coil joined by hand."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, LineRange
from stripscan.runtime.inspector import CoilInspector
from stripscan.runtime.panorama.geometry import View, share_out
from stripscan.runtime.panorama.joiner import JoinedBlock, LineJoiner
from stripscan.runtime.panorama.lane import Lane
from stripscan.runtime.trust import BlockTrust
from unit.runtime.inspection_samples import (
    MM_PER_LINE,
    MM_PER_PX,
    BoxEngine,
    Found,
    manifest,
    station,
)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Eye:
    """A camera over columns ``left`` to ``right`` of a strip, from its line ``late`` on.

    ``missing`` are blocks that never come, ``lost`` lines without a picture, all of the strip.
    """

    left: int
    right: int
    mirrored: bool = False
    cuts: tuple[int, ...] = ()
    late: int = 0
    missing: tuple[LineRange, ...] = ()
    offset: int = 0
    counts_per_line: float | None = None

    def blocks(self, strip: Pixels, name: str) -> Iterator[Block]:
        """Yield what it sees, numbered from its own start."""
        seen = strip[self.late :, self.left : self.right]
        if self.mirrored:
            seen = seen[:, ::-1]
        bounds = sorted({0, len(seen)} | {c for c in self.cuts if 0 < c < len(seen)})
        for first, stop in pairwise(bounds):
            lines = LineRange(start=first + self.late, stop=stop + self.late)
            if any(m.start < lines.stop and lines.start < m.stop for m in self.missing):
                continue
            count = None
            if self.counts_per_line:
                count = round((first + self.late) * self.counts_per_line) + 2**32 - 1000
                count %= 2**32
            yield Block(
                pixels=seen[first:stop],
                camera=name,
                first_line=first,
                along_m=first * MM_PER_LINE / 1000,
                mm_per_line=MM_PER_LINE,
                host_ns=(stop + self.late) * 1_000_000,
                encoder_count=count,
            )

    def blind(self, strip: Pixels) -> list[LineRange]:
        """Return the lines of the strip of which it gives no picture, by whole blocks."""
        here = [LineRange(start=0, stop=self.late)] if self.late else []
        at = self.late
        for block in self.blocks(strip, ""):
            first = block.first_line + self.late
            here += [LineRange(start=at, stop=first)] if first > at else []
            at = first + block.lines.lines
        return here + ([LineRange(start=at, stop=len(strip))] if at < len(strip) else [])


@dataclass
class Array:
    """Cameras over one surface, ready to be joined."""

    eyes: Sequence[Eye]
    live: bool = False
    joined: list[JoinedBlock] = field(default_factory=list)

    def __post_init__(self) -> None:
        views = [
            View(
                camera=f"c{number}",
                left_mm=eye.left * MM_PER_PX,
                width_px=eye.right - eye.left,
                mm_per_px=MM_PER_PX,
                mirrored=eye.mirrored,
            )
            for number, eye in enumerate(self.eyes)
        ]
        self.shares = share_out("top", views, mm_per_px=MM_PER_PX)
        by_name = {share.camera: share for share in self.shares}
        least = min(eye.offset for eye in self.eyes)
        self.lanes = [
            Lane(
                share=by_name[f"c{number}"],
                columns=by_name[f"c{number}"].columns,
                offset_lines=eye.offset - least,
            )
            for number, eye in enumerate(self.eyes)
        ]
        self.width = self.shares[-1].stop
        self.joiner = LineJoiner(
            self.lanes,
            surfaces=[slice(0, self.width)],
            name="line",
            mm_per_line=MM_PER_LINE,
            live=self.live,
        )
        self._trusts = [BlockTrust(mm_per_px=MM_PER_PX) for _ in self.eyes]

    def push(self, number: int, block: Block) -> None:
        spans = self._trusts[number].spans(block)
        # The place of the pixels is used again: nothing may hold on to them.
        own = dataclasses.replace(block, pixels=block.pixels.copy())
        self.joiner.push(number, own, spans)
        own.pixels[:] = 0
        self.joined += self.joiner.blocks()

    def end(self, number: int) -> None:
        self.joiner.end(number)
        self.joined += self.joiner.blocks()

    def play(self, strip: Pixels, turns: Iterable[int]) -> list[JoinedBlock]:
        """Join what the cameras see; ``turns`` tell whose block comes next, then all the rest."""
        left = {n: eye.blocks(strip, f"c{n}") for n, eye in enumerate(self.eyes)}
        for turn in turns:
            number = turn % len(self.eyes)
            if number in left and not self._advance(left, number):
                del left[number]
        while left:
            for number in list(left):
                if not self._advance(left, number):
                    del left[number]
        return self.joined

    def _advance(self, left: Mapping[int, Iterator[Block]], number: int) -> bool:
        block = next(left[number], None)
        if block is None:
            self.end(number)
            return False
        self.push(number, block)
        return True

    def picture(self) -> Pixels:
        """Return all joined lines, after checking that they follow each other."""
        at = 0
        for block in self.joined:
            assert block.first_line == at
            at = block.lines.stop
        return np.concatenate([block.pixels for block in self.joined])

    def inspect(self) -> Found:
        chain = CoilInspector(
            coil="c1",
            station=station(join_mm=1.5),
            manifest=manifest(min_area_px=1),
            engine=BoxEngine(),
            width_px=self.width,
            shares=self.shares,
        )
        found = Found()
        for block in self.joined:
            for outcome in chain.push(block, spans=block.spans):
                found.keep(outcome)
        for outcome in chain.finish():
            found.keep(outcome)
        return found


def states_by_camera(found: Found) -> dict[str, list[str]]:
    """Return the status of each line by camera, after checking that nothing gapes."""
    told: dict[str, list[str]] = {}
    for interval in found.coverage:
        lines = told.setdefault(interval.camera, [])
        assert interval.lines.start == len(lines)
        lines += [str(interval.status)] * interval.lines.lines
        assert abs(interval.along_end_m - interval.lines.stop * MM_PER_LINE / 1000) < 1e-9
    return told
