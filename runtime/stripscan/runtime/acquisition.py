"""A thread that takes blocks from a source, so that the camera never waits for the model."""

import logging
import threading
from collections import deque
from collections.abc import Iterator

from stripscan.contract.block import Block
from stripscan.runtime.sources import FrameSource

logger = logging.getLogger(__name__)

_QUEUE_BLOCKS = 8


class Acquisition:
    """Runs a source in a thread of its own, behind a bounded queue.

    Files wait while the queue is full. A live source cannot wait: the oldest block is dropped and
    counted, and the gap in the line numbers puts it on the coverage ledger.

    Args:
        source: An entered source.
        queue_blocks: Most blocks that wait.
    """

    def __init__(self, source: FrameSource, *, queue_blocks: int = _QUEUE_BLOCKS) -> None:
        self._source = source
        self._limit = queue_blocks
        self._queue: deque[Block] = deque()
        self._change = threading.Condition()
        self._ended = False
        self._stopped = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._acquire, name="acquisition", daemon=True)
        self.dropped_blocks = 0

    def blocks(self) -> Iterator[Block]:
        """Yield blocks until the source has ended and the queue is empty.

        Raises:
            StripscanError: What ended the source, after its last block was yielded.
        """
        self._thread.start()
        while True:
            with self._change:
                self._change.wait_for(lambda: self._queue or self._ended)
                if not self._queue:
                    break
                block = self._queue.popleft()
                self._change.notify_all()
            yield block
        self._thread.join()
        if self._error is not None:
            raise self._error

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
            if self._source.live:
                while len(self._queue) >= self._limit:
                    lost = self._queue.popleft()
                    self.dropped_blocks += 1
                    if self.dropped_blocks.bit_count() == 1:  # 1, 2, 4, 8 …: no flood of lines
                        logger.warning(
                            "blocks dropped: the model is slower than the line",
                            extra={"dropped": self.dropped_blocks, "first_line": lost.first_line},
                        )
            else:
                self._change.wait_for(lambda: len(self._queue) < self._limit or self._stopped)
            self._queue.append(block)
            self._change.notify_all()
