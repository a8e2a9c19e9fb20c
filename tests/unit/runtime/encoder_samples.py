"""A strip whose every line tells its number, and cameras that watch it move."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, BlockStatus
from stripscan.runtime.encoder import Encoder, Placed
from stripscan.runtime.station_encoder import EncoderSection

MM_PER_LINE = 0.5
MM_PER_COUNT = 0.1
COUNTS_PER_LINE = 5


def numbered(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return uint8 ``[lines, 4]``: the number of the strip's line, one byte a column."""
    return np.ascontiguousarray(rows, "<u4").view(np.uint8).reshape(-1, 4)


def numbers(pixels: NDArray[np.uint8]) -> list[int]:
    return np.ascontiguousarray(pixels).view("<u4").ravel().tolist()


def turning(*points: int) -> NDArray[np.int64]:
    """Return the strip's lines as a camera sees them that the encoder triggers both ways.

    The strip moves from the first point to the second and so on; each turn shows its line once.
    """
    legs = [np.arange(a, b, 1 if b > a else -1) for a, b in pairwise(points)]
    return np.concatenate([*legs, points[-1:]])


def watched(
    rows: NDArray[np.int64],
    cuts: Iterable[int],
    *,
    counter_bits: int = 32,
    direction: int = 1,
    start: int = 0,
    stops: Iterable[int] = (),
) -> list[Block]:
    """Cut lines into blocks before ``cuts``; at ``stops`` the block before is partial."""
    stops = set(stops)
    bounds = sorted({0, len(rows), *(c for c in {*cuts, *stops} if 0 < c < len(rows))})
    return [
        Block(
            pixels=numbered(rows[first:stop]),
            camera="top-1",
            first_line=first,
            along_m=0.0,
            mm_per_line=MM_PER_LINE,
            host_ns=first * 10**5,
            encoder_count=(start + direction * int(rows[first]) * COUNTS_PER_LINE)
            % 2**counter_bits,
            status=BlockStatus.PARTIAL if stop in stops else BlockStatus.COMPLETE,
        )
        for first, stop in pairwise(bounds)
    ]


def encoder(**options: object) -> Encoder:
    setup = EncoderSection.model_validate({"mm_per_count": MM_PER_COUNT} | options)
    return Encoder(setup, mm_per_line=MM_PER_LINE)


def followed(chain: Encoder, blocks: Iterable[Block]) -> list[Placed]:
    placed = [each for block in blocks for each in chain.place(block)]
    return [*placed, *chain.flush()]


def states(placed: list[Placed]) -> list[tuple[str, int, float]]:
    """Return status, the strip's line and the place in m of each of the coil's lines."""
    told: list[tuple[str, int, float]] = []
    for each in placed:
        block = each.block
        told += [("lost", -1, -1.0)] * (block.first_line - len(told))
        assert len(told) == block.first_line
        told += [
            (str(each.status), number, block.along_m + k * block.mm_per_line / 1000)
            for k, number in enumerate(numbers(block.pixels))
        ]
    return told
