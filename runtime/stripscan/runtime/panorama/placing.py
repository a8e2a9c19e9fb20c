"""Which trigger of the encoder made the lines of a camera: by counts, by time, or by number."""

import logging
from collections.abc import Sequence

from stripscan.contract.block import Block
from stripscan.runtime.panorama.counts import Marks, line_at, spans_count
from stripscan.runtime.panorama.lane import Lane

logger = logging.getLogger(__name__)

NEAR_LINES = 1 << 14
"""Cameras that are farther apart by their counts have counters that do not go together."""


def counts_tell(held: Sequence[Sequence[Block]]) -> bool:
    """Return whether the counts of blocks tell all that they will of who began when.

    They do once the counts of one camera reach over the first ones of all others.
    """
    counted = [marks for blocks in held if (marks := _marks(blocks))]
    return len(counted) < 2 or _ruler(counted) is not None


def place_all(lanes: Sequence[Lane], held: Sequence[Sequence[Block]]) -> None:
    """Give each camera that has begun its place among the others.

    By the counts of their blocks where they have some; else all have begun together. Trigger 0 is
    the first of the earliest.

    Args:
        lanes: The cameras.
        held: The blocks of each that have come so far.
    """
    begun = [(lane, blocks) for lane, blocks in zip(lanes, held, strict=True) if blocks]
    counted = [marks for _, blocks in begun if (marks := _marks(blocks))]
    leads = [0] * len(begun)
    if len(counted) > 1:
        ruler = _ruler(counted) or max(counted, key=len)
        leads = [_lead(blocks, ruler) for _, blocks in begun]
    if max(leads) - min(leads) > NEAR_LINES:
        logger.warning(
            "the encoder counts of the cameras do not go together, so lines are joined by their "
            "numbers: set all counters to zero by one signal",
            extra={"lines_apart": max(leads) - min(leads)},
        )
        leads = [0] * len(leads)
    for (lane, _), lead in zip(begun, leads, strict=True):
        lane.lead = lead - min(leads)


def _marks(blocks: Sequence[Block]) -> list[tuple[int, int]]:
    return [(b.first_line, b.encoder_count) for b in blocks if b.encoder_count is not None]


def _ruler(counted: Sequence[Marks]) -> Marks | None:
    """Return counts that reach over the first ones of all."""
    firsts = [marks[0][1] for marks in counted]
    return next(
        (marks for marks in counted if all(spans_count(marks, first) for first in firsts)), None
    )


def _lead(blocks: Sequence[Block], ruler: Marks) -> int:
    """Return in which line of the ruler's camera line 0 of another lies."""
    marks = _marks(blocks)
    line = line_at(ruler, marks[0][1]) if marks else None
    return 0 if line is None else line - marks[0][0]


def place_again(lane: Lane, block: Block, others: Sequence[Lane], *, live: bool) -> None:
    """Give a camera its place that begins late, or comes back after lines were lost.

    A camera that was away cannot know how many lines it missed; the others do.

    Args:
        lane: The camera.
        block: Its next block, with pixels.
        others: Cameras whose place is known.
        live: Whether times of blocks mean anything.
    """
    before = lane.lead
    freshest = sorted(others, key=lambda other: other.heard_ns, reverse=True)
    # What it counts itself is exact unless it was away; counts are rounded, and times scatter.
    lead, own, doubt = _by_counts(block, freshest), before, 1
    if lead is None and live:
        lead, own, doubt = _by_time(block, freshest), before or 0, block.lines.lines
    if lead is not None and own is not None and abs(lead - own) <= doubt:
        lead = own
    lane.lead = (before or 0) if lead is None else lead
    if before is not None and lane.lead != before:
        logger.warning(
            "a camera is out of step and joined again where the others are",
            extra={"camera": lane.camera, "moved_lines": lane.lead - before},
        )


def _by_counts(block: Block, others: Sequence[Lane]) -> int | None:
    if block.encoder_count is None:
        return None
    for other in others:
        trigger = other.trigger_at_count(block.encoder_count)
        ahead = trigger is not None and abs(trigger - other.offset_lines - other.arrived)
        if trigger is not None and ahead <= NEAR_LINES:
            return trigger - block.first_line
    return None


def _by_time(block: Block, others: Sequence[Lane]) -> int | None:
    for other in others:
        trigger = other.trigger_at_ns(block.host_ns)
        if trigger is not None:
            return trigger - block.lines.stop
    return None
