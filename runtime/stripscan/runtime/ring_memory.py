"""The memory of a ring of blocks: how it is divided, and who may change what.

It has no name: the kernel frees it when the last of the two processes is gone, however it went.
What both change is guarded by a record lock, which the kernel takes from a process that dies; the
one step that counts, the change of a slot's state, is a single write and comes last.
"""

import fcntl
import mmap
import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

HELD = 2
"""How many blocks that were taken stay valid: an encoder places a block by the one after it."""

_WORD = np.dtype("<i8")
_HEAD = np.dtype([(name, _WORD) for name in ("sequence", "produced", "dropped_blocks", "dropped")])
_SLOT = np.dtype(
    [("along_m", "<f8"), ("mm_per_line", "<f8")]
    + [
        (name, _WORD)
        for name in (
            *("state", "sequence", "session", "first_line", "lines", "blank", "host_ns"),
            *("encoder_count", "has_encoder", "camera_ns", "has_camera_ns", "status", "holes"),
            "dropped_before",
        )
    ]
)


class SlotState(IntEnum):
    """What a slot is used for."""

    FREE = 0
    WRITING = 1
    READY = 2
    TAKEN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RingShape:
    """What both sides must agree on.

    Attributes:
        camera: Name of the camera.
        width_px: Width of each block.
        block_lines: Most lines of a block that shows a picture.
        queue_blocks: Most blocks that wait.
    """

    camera: str
    width_px: int
    block_lines: int
    queue_blocks: int

    @property
    def slots(self) -> int:
        """One is being written and some are in use, beside those that wait."""
        return self.queue_blocks + 1 + HELD

    @property
    def pixels_offset(self) -> int:
        """Where pixels begin, in bytes; a whole number of pages."""
        holes = self.slots * (self.block_lines + 1) * _WORD.itemsize
        told = _HEAD.itemsize + self.slots * _SLOT.itemsize + holes
        return -(-told // mmap.PAGESIZE) * mmap.PAGESIZE

    @property
    def size_bytes(self) -> int:
        """Size of the memory."""
        return self.pixels_offset + self.slots * self.block_lines * self.width_px


@dataclass(frozen=True, slots=True, kw_only=True)
class RingHandles:
    """File descriptors that a ring consists of; another process inherits them.

    Attributes:
        memory: The memory.
        filled: Wakes who takes blocks.
        freed: Wakes who puts blocks.
    """

    memory: int
    filled: int
    freed: int

    @classmethod
    def create(cls) -> "RingHandles":
        """Return handles of a new ring, whose memory is empty."""
        flags = os.EFD_CLOEXEC | os.EFD_NONBLOCK
        return cls(
            memory=os.memfd_create("stripscan-ring", os.MFD_CLOEXEC),
            filled=os.eventfd(0, flags),
            freed=os.eventfd(0, flags),
        )

    @property
    def all(self) -> tuple[int, int, int]:
        """All three."""
        return self.memory, self.filled, self.freed

    def close(self) -> None:
        """Close them; what is mapped stays until it is no longer used."""
        for handle in self.all:
            os.close(handle)


class RingMemory:
    """The memory as both sides see it."""

    def __init__(self, handles: RingHandles, shape: RingShape) -> None:
        self.handles = handles
        self.shape = shape
        memory = mmap.mmap(handles.memory, shape.size_bytes)
        slots, lines = shape.slots, shape.block_lines
        self.head: Any = np.frombuffer(memory, _HEAD, 1)
        self.slots: Any = np.frombuffer(memory, _SLOT, slots, _HEAD.itemsize)
        after = _HEAD.itemsize + slots * _SLOT.itemsize
        # Holes that do not touch are at most half as many as lines, and each is two numbers.
        holes = np.frombuffer(memory, _WORD, slots * (lines + 1), after)
        self.holes: NDArray[np.int64] = holes.reshape(slots, lines + 1)
        size = slots * lines * shape.width_px
        pixels = np.frombuffer(memory, np.uint8, size, shape.pixels_offset)
        self.pixels: NDArray[np.uint8] = pixels.reshape(slots, lines, shape.width_px)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the other process out."""
        fcntl.lockf(self.handles.memory, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.handles.memory, fcntl.LOCK_UN)

    def of_state(self, state: SlotState) -> list[int]:
        """Return the slots of a state, the oldest first."""
        found = np.flatnonzero(self.slots["state"] == state)
        return [int(slot) for slot in found[np.argsort(self.slots["sequence"][found])]]


def wait_for(event: int) -> None:
    """Wait for an event and take note of it."""
    poll = select.poll()
    poll.register(event, select.POLLIN)
    poll.poll()
    try:
        os.eventfd_read(event)
    except BlockingIOError:  # it was for this process alone, so nobody else has read it
        return
