"""Blocks for a main loop that has more to do than to wait for them."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from stripscan.contract.block import Block

_JOIN_S = 10.0


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


class BlockFeed:
    """Takes blocks in a thread of its own.

    The next block is asked for when the one before is done with, so that whatever holds its pixels
    may use the place again.

    Args:
        blocks: Where they come from; iterated by the thread alone.
    """

    def __init__(self, blocks: Generator[Block, None, None]) -> None:
        self._blocks = blocks
        self._given: queue.SimpleQueue[Block | _End] = queue.SimpleQueue()
        self._wanted = threading.Semaphore(0)
        self._closed = False
        self._thread = threading.Thread(target=self._take, name="blocks", daemon=True)

    def turns(self, wait_s: float) -> Iterator[Block | None]:
        """Yield each block as it comes, and None whenever none has come for a while.

        Args:
            wait_s: How long to wait, in s.

        Raises:
            StripscanError: What ended the blocks, after the last was yielded.
        """
        self._thread.start()
        while True:
            try:
                given = self._given.get(timeout=wait_s)
            except queue.Empty:
                yield None
                continue
            if isinstance(given, _End):
                break
            yield given
            self._wanted.release()
        if given.error is not None:
            raise given.error

    def close(self) -> None:
        """Let the thread end, where its source ends as well; a second time does nothing."""
        self._closed = True
        self._wanted.release()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def _take(self) -> None:
        error: BaseException | None = None
        try:
            with contextlib.closing(self._blocks):
                for block in self._blocks:
                    self._given.put(block)
                    self._wanted.acquire()
                    if self._closed:
                        break
        except BaseException as caught:
            error = caught
        finally:
            self._given.put(_End(error))
