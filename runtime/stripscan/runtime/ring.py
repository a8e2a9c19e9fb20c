"""Blocks from one process to another through memory that both have, without a copy of pixels."""

import os
from collections import deque
from collections.abc import Callable

import numpy as np

from stripscan.contract.block import Block, BlockStatus, LineRange
from stripscan.contract.errors import CameraError
from stripscan.runtime.ring_memory import (
    HELD,
    RingHandles,
    RingMemory,
    RingShape,
    SlotState,
    wait_for,
)

_STATUSES = tuple(BlockStatus)


class RingWriter:
    """The side that puts blocks in.

    Args:
        handles: The ring's.
        shape: The ring's.
        session: Which of the processes that write one after the other this is.
        drops: Whether the oldest block that waits makes room; else :meth:`put` waits.
        on_drop: Called with the number of blocks dropped so far and the first line of the last.
    """

    def __init__(
        self,
        handles: RingHandles,
        shape: RingShape,
        *,
        session: int,
        drops: bool,
        on_drop: Callable[[int, int], None],
    ) -> None:
        self._memory = RingMemory(handles, shape)
        self._session = session
        self._drops = drops
        self._on_drop = on_drop
        self._stopped = False

    def put(self, block: Block) -> None:
        """Hand a block over; its pixels are copied into the ring.

        Lines that are lost as a whole are handed over without pixels, in any number.

        Raises:
            CameraError: The block has another width, or more lines than the source said.
        """
        blank = block.lost == (block.lines,)
        lines, shape = block.pixels.shape[0], self._memory.shape
        if block.pixels.shape[1] != shape.width_px or (lines > shape.block_lines and not blank):
            raise CameraError(
                f"camera {shape.camera} sent a block of {block.pixels.shape[1]} px by {lines} "
                f"lines where {shape.width_px} px by at most {shape.block_lines} lines were "
                "announced. Keep its image size while it runs"
            )
        slot = self._reserve(block)
        if not blank:
            self._memory.pixels[slot, :lines] = block.pixels
        self._describe(slot, block, blank=blank)
        with self._memory.locked():
            self._memory.head["sequence"] += 1
            self._memory.slots["sequence"][slot] = self._memory.head["sequence"][0]
            self._memory.slots["state"][slot] = SlotState.READY
        os.eventfd_write(self._memory.handles.filled, 1)

    def stop(self) -> None:
        """Let :meth:`put` no longer wait, from any thread: there is always room for one more."""
        self._stopped = True
        os.eventfd_write(self._memory.handles.freed, 1)

    def _reserve(self, block: Block) -> int:
        """Return a slot to write to."""
        while True:
            with self._memory.locked():
                slot, dropped = self._slot_for(block)
            if dropped is not None:
                self._on_drop(*dropped)
            if slot is not None:
                return slot
            wait_for(self._memory.handles.freed)

    def _slot_for(self, block: Block) -> tuple[int | None, tuple[int, int] | None]:
        """Return a slot, if there is one, and what was dropped for it, if so."""
        memory, dropped = self._memory, None
        waiting = memory.of_state(SlotState.READY)
        if len(waiting) >= memory.shape.queue_blocks:
            if self._drops:
                dropped = self._drop(waiting[0])
            elif not self._stopped:
                return None, None
        slot = memory.of_state(SlotState.FREE)[0]
        memory.head["produced"] = block.lines.stop
        memory.slots["state"][slot] = SlotState.WRITING
        return slot, dropped

    def _drop(self, slot: int) -> tuple[int, int]:
        head, oldest = self._memory.head, self._memory.slots[slot]
        head["dropped_blocks"] += 1
        head["dropped"] += oldest["lines"]
        oldest["state"] = SlotState.FREE
        return int(head["dropped_blocks"][0]), int(oldest["first_line"])

    def _describe(self, slot: int, block: Block, *, blank: bool) -> None:
        told = self._memory.slots[slot]
        told["session"], told["blank"] = self._session, blank
        told["first_line"], told["lines"] = block.first_line, block.pixels.shape[0]
        told["along_m"], told["mm_per_line"] = block.along_m, block.mm_per_line
        told["host_ns"], told["status"] = block.host_ns, _STATUSES.index(block.status)
        told["encoder_count"], told["has_encoder"] = _known(block.encoder_count)
        told["camera_ns"], told["has_camera_ns"] = _known(block.camera_ns)
        told["dropped_before"] = block.dropped_before
        holes = [] if blank else _apart(block.lost)
        told["holes"] = len(holes)
        ends = [end for hole in holes for end in (hole.start, hole.stop)]
        self._memory.holes[slot, : len(ends)] = ends


class RingReader:
    """The side that takes blocks out. It makes the memory, and outlives who writes.

    Args:
        handles: A new ring's.
        shape: How it is divided.

    Raises:
        CameraError: There is not so much memory.
    """

    def __init__(self, handles: RingHandles, shape: RingShape) -> None:
        try:
            os.ftruncate(handles.memory, shape.size_bytes)
            self._memory = RingMemory(handles, shape)
        except (OSError, ValueError) as error:
            raise CameraError(
                f"no memory for {shape.slots} blocks of {shape.width_px} px by "
                f"{shape.block_lines} lines ({shape.size_bytes / 2**20:.0f} MiB): {error}. "
                "Set queue_blocks in [pipeline] lower"
            ) from error
        self._held: deque[int] = deque()

    @property
    def produced(self) -> int:
        """The line after the last that the writing process had, lines in flight included."""
        return int(self._memory.head["produced"][0])

    @property
    def waiting(self) -> int:
        """How many blocks wait to be taken."""
        return len(self._memory.of_state(SlotState.READY))

    @property
    def dropped_blocks(self) -> int:
        """How many blocks made room for newer ones."""
        return int(self._memory.head["dropped_blocks"][0])

    @property
    def dropped_lines(self) -> int:
        """How many lines they had."""
        return int(self._memory.head["dropped"][0])

    def take(self) -> tuple[int, Block] | None:
        """Return the session and the oldest block that waits; None if none does.

        Its pixels lie in the ring. They are valid until the next but one block is taken.
        """
        memory = self._memory
        with memory.locked():
            waiting = memory.of_state(SlotState.READY)
            if not waiting:
                return None
            if len(self._held) == HELD:
                memory.slots["state"][self._held.popleft()] = SlotState.FREE
            memory.slots["state"][waiting[0]] = SlotState.TAKEN
            self._held.append(waiting[0])
        os.eventfd_write(memory.handles.freed, 1)
        return int(memory.slots["session"][waiting[0]]), self._block(waiting[0])

    def wait(self) -> None:
        """Wait until a block was put in, or :meth:`wake` was called."""
        wait_for(self._memory.handles.filled)

    def wake(self) -> None:
        """End :meth:`wait`, from any thread."""
        os.eventfd_write(self._memory.handles.filled, 1)

    def reclaim(self) -> None:
        """Take back what a process that died was writing to, before another one begins."""
        self._memory.slots["state"][self._memory.of_state(SlotState.WRITING)] = SlotState.FREE
        self._memory.head["produced"] = 0

    def _block(self, slot: int) -> Block:
        told, memory = self._memory.slots[slot], self._memory
        first, lines = int(told["first_line"]), int(told["lines"])
        ends = memory.holes[slot, : 2 * int(told["holes"])].reshape(-1, 2).tolist()
        lost = tuple(LineRange(start=start, stop=stop) for start, stop in ends)
        pixels = memory.pixels[slot, :lines]
        if told["blank"]:
            pixels = np.broadcast_to(np.uint8(0), (lines, memory.shape.width_px))
            lost = (LineRange(start=first, stop=first + lines),)
        pixels.flags.writeable = False
        return Block(
            pixels=pixels,
            camera=memory.shape.camera,
            first_line=first,
            along_m=float(told["along_m"]),
            mm_per_line=float(told["mm_per_line"]),
            host_ns=int(told["host_ns"]),
            encoder_count=int(told["encoder_count"]) if told["has_encoder"] else None,
            camera_ns=int(told["camera_ns"]) if told["has_camera_ns"] else None,
            status=_STATUSES[told["status"]],
            lost=lost,
            dropped_before=int(told["dropped_before"]),
        )


def _known(number: int | None) -> tuple[int, bool]:
    return (0, False) if number is None else (number, True)


def _apart(ranges: tuple[LineRange, ...]) -> list[LineRange]:
    """Return the same lines as ranges that do not touch, in order."""
    apart: list[LineRange] = []
    for each in sorted(ranges):
        if apart and each.start <= apart[-1].stop:
            before = apart.pop()
            apart.append(LineRange(start=before.start, stop=max(before.stop, each.stop)))
        else:
            apart.append(each)
    return apart
