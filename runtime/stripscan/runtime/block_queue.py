"""What lies between a source and the main loop."""

from collections.abc import Generator
from typing import Protocol

from stripscan.contract.block import Block


class BlockQueue(Protocol):
    """Blocks of an entered source, behind a bounded queue.

    Pixels of a block are valid until the next but one is asked for.
    """

    def blocks(self) -> Generator[Block, None, None]:
        """Yield blocks until the source has ended and the queue is empty.

        Raises:
            StripscanError: What ended the source, after its last block was yielded.
        """
        ...

    def stop(self) -> None:
        """Let the source end; blocks that have arrived are still yielded."""

    @property
    def waiting_blocks(self) -> int:
        """How many blocks wait."""
        ...

    @property
    def dropped_blocks(self) -> int:
        """How many blocks the policy has dropped."""
        ...

    @property
    def dropped_lines(self) -> int:
        """How many lines they had."""
        ...
