"""Blocks of several cameras as they come."""

import contextlib
import queue
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from stripscan.contract.block import Block

_JOIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a camera gave.

    Attributes:
        camera: Its number.
        block: The block; None where it has ended.
        error: What ended it, where that was an error.
    """

    camera: int
    block: Block | None = None
    error: BaseException | None = None


class CameraFeeds:
    """Takes blocks of each camera in a thread of its own.

    The next block of a camera is asked for when its ``next`` is called, so that whatever holds
    the pixels of the one before may use the place again.

    Args:
        blocks: Where they come from, by camera; each iterated by its thread alone.
    """

    def __init__(self, blocks: Sequence[Generator[Block, None, None]]) -> None:
        self._given: queue.SimpleQueue[Given] = queue.SimpleQueue()
        self._wanted = [threading.Semaphore(0) for _ in blocks]
        self._closed = False
        self._threads = [
            threading.Thread(target=self._take, args=pair, name=f"camera-{pair[0]}", daemon=True)
            for pair in enumerate(blocks)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, wait_s: float) -> tuple[Given | None, float]:
        """Return what comes next, None if nothing has come, and how long that was waited for.

        Args:
            wait_s: How long to wait, in s.
        """
        began = time.monotonic()
        try:
            given = self._given.get(timeout=wait_s)
        except queue.Empty:
            given = None
        return given, time.monotonic() - began

    def next(self, camera: int) -> None:
        """Ask a camera for its next block."""
        self._wanted[camera].release()

    def close(self) -> None:
        """Let the threads end, where their sources end as well."""
        self._closed = True
        for wanted in self._wanted:
            wanted.release()
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _take(self, camera: int, blocks: Generator[Block, None, None]) -> None:
        error: BaseException | None = None
        try:
            with contextlib.closing(blocks):
                for block in blocks:
                    self._given.put(Given(camera=camera, block=block))
                    self._wanted[camera].acquire()
                    if self._closed:
                        break
        except BaseException as caught:
            error = caught
        finally:
            self._given.put(Given(camera=camera, error=error))
