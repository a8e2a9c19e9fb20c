"""A thread that takes blocks from a source, so that the camera never waits for the model."""

import dataclasses
import logging
import threading
from collections import deque
from collections.abc import Generator

from stripscan.contract.block import Block
from stripscan.runtime.sources import FrameSource
from stripscan.runtime.station_pipeline import PipelineSection

logger = logging.getLogger(__name__)

_JOIN_S = 5.0  # a driver that hangs is left behind


class Acquisition:
    """Runs a source in a thread of its own, behind a bounded queue.

    Files wait while the queue is full. What happens to the blocks of a live source is the policy
    of the station; those that are dropped are counted, and the next block tells of them.

    Args:
        source: An entered source.
        pipeline: Length of the queue, and the policy.
    """

    def __init__(self, source: FrameSource, pipeline: PipelineSection) -> None:
        self._source = source
        self._limit = pipeline.queue_blocks
        self._drops = source.live and pipeline.drops
        self._queue: deque[Block] = deque()
        self._change = threading.Condition()
        self._ended = False
        self._stopped = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._acquire, name="acquisition", daemon=True)
        self.dropped_blocks = 0
        self.dropped_lines = 0

    def blocks(self) -> Generator[Block, None, None]:
        """Yield blocks until the source has ended and the queue is empty.

        Who leaves earlier closes it: a thread in the middle of a library's code would end the
        whole program when that ends.

        Raises:
            StripscanError: What ended the source, after its last block was yielded.
        """
        self._thread.start()
        following = 0
        try:
            while True:
                with self._change:
                    self._change.wait_for(lambda: self._queue or self._ended)
                    if not self._queue:
                        break
                    block = self._queue.popleft()
                    self._change.notify_all()
                yield after_drops(block, following)
                following = block.lines.stop
        finally:
            self.stop()
            self._thread.join(_JOIN_S)
        if self._error is not None:
            raise self._error

    @property
    def waiting_blocks(self) -> int:
        """How many blocks wait."""
        return len(self._queue)

    def stop(self) -> None:
        """Let the source end; blocks that have arrived are still yielded."""
        self._source.stop()
        with self._change:
            self._stopped = True
            self._change.notify_all()

    def _acquire(self) -> None:
        try:
            for block in self._source.blocks():
                self._put(block)
                if self._stopped:
                    break
        except BaseException as error:
            self._error = error
        finally:
            with self._change:
                self._ended = True
                self._change.notify_all()

    def _put(self, block: Block) -> None:
        with self._change:
            if self._drops:
                while len(self._queue) >= self._limit:
                    self._drop(self._queue.popleft())
            else:
                self._change.wait_for(lambda: len(self._queue) < self._limit or self._stopped)
            self._queue.append(block)
            self._change.notify_all()

    def _drop(self, block: Block) -> None:
        self.dropped_blocks += 1
        self.dropped_lines += block.lines.lines
        warn_of_drops(self.dropped_blocks, first_line=block.first_line)


def after_drops(block: Block, following: int) -> Block:
    """Return the block with how many lines were dropped since the one before.

    Args:
        block: What a source yielded; sources leave out no line.
        following: The line after the block before.
    """
    if block.first_line <= following:
        return block
    return dataclasses.replace(block, dropped_before=block.first_line - following)


def warn_of_drops(dropped_blocks: int, *, first_line: int) -> None:
    """Log that blocks were dropped, without a flood of lines.

    Args:
        dropped_blocks: How many, this one included.
        first_line: The first line of this one.
    """
    if dropped_blocks.bit_count() == 1:  # 1, 2, 4, 8 …
        logger.warning(
            "blocks dropped: the machine is slower than the line",
            extra={"dropped": dropped_blocks, "first_line": first_line},
        )
