"""The acquisition process: a source whose blocks go into a ring. The daemon starts it."""

import contextlib
import copy
import logging
import logging.handlers
import os
import queue
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from stripscan.contract.block import Block
from stripscan.contract.errors import ConfigError, StripscanError
from stripscan.runtime.acquisition import warn_of_drops
from stripscan.runtime.acquisition_link import Counts, Ended, Opened, Setup, Start
from stripscan.runtime.ring import RingWriter
from stripscan.runtime.ring_memory import RingHandles
from stripscan.runtime.sources import FrameSource
from stripscan.runtime.sources.base import CountingSource, SizedSource

logger = logging.getLogger(__name__)

_GRACE_S = 5.0
_COUNTS_S = 1.0


class _Forward(logging.Handler):
    """Hands log records to the daemon, so that there is one stream of them."""

    def __init__(self, child: "_Child") -> None:
        super().__init__()
        self._child = child

    def emit(self, record: logging.LogRecord) -> None:
        plain = copy.copy(record)
        plain.msg, plain.args = record.getMessage(), None
        if record.exc_info:
            plain.msg = f"{plain.msg}\n{logging.Formatter().formatException(record.exc_info)}"
            plain.exc_info = None
        self._child.send(plain)


class _Child:
    """One source, from its opening to its end.

    Args:
        connection: To the daemon; its end is the wish to stop, or the death of the daemon.
        ring: Where blocks go.
    """

    def __init__(self, connection: Connection, ring: RingHandles) -> None:
        self._connection = connection
        self._ring = ring
        self._sending = threading.Lock()
        self._starts: queue.SimpleQueue[Start | None] = queue.SimpleQueue()
        self._source: FrameSource | None = None
        self._writer: RingWriter | None = None
        self._stopped = False
        self._told_s = 0.0

    def send(self, message: Any) -> None:
        """Tell the daemon, if it is there."""
        with contextlib.suppress(OSError), self._sending:
            self._connection.send(message)

    def run(self) -> None:
        """Acquire until the source or the daemon ends it."""
        setup: Setup = self._connection.recv()
        logging.getLogger().addHandler(_Forward(self))
        logging.getLogger("stripscan").setLevel(setup.log_level)
        logging.captureWarnings(True)
        try:
            self._acquire(setup)
            end = Ended()
        except StripscanError as error:
            end = Ended(error=type(error), message=str(error))
        except Exception as error:
            logger.exception("acquisition failed")
            end = Ended(error=RuntimeError, message=f"acquisition failed: {error!r}")
        self.send(end)

    def _acquire(self, setup: Setup) -> None:
        source = self._source = setup.opener(setup.station)
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        try:
            with source:
                self.send(_opened(source))
                start = self._starts.get()
                if start is not None:
                    self._fill(source, start)
        finally:
            self._tell_counts(source)

    def _fill(self, source: FrameSource, start: Start) -> None:
        writer = self._writer = RingWriter(
            self._ring,
            start.shape,
            session=start.session,
            drops=start.drops,
            on_drop=lambda count, line: warn_of_drops(count, first_line=line),
        )
        for block in source.blocks():
            self._put(writer, block)
            if time.monotonic() - self._told_s >= _COUNTS_S:
                self._tell_counts(source)
            if self._stopped:
                break

    def _put(self, writer: RingWriter, block: Block) -> None:
        if self._stopped:  # the listener may have looked before there was a writer
            writer.stop()
        writer.put(block)

    def _tell_counts(self, source: FrameSource) -> None:
        self._told_s = time.monotonic()
        if isinstance(source, CountingSource):
            self.send(Counts(counts=dict(source.stats)))

    def _listen(self) -> None:
        """Pass on when to start and when to stop, and end a driver that does not."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._starts.put(self._connection.recv())
        self._stopped = True
        self._starts.put(None)
        if self._source is not None:
            self._source.stop()
        if self._writer is not None:
            self._writer.stop()
        time.sleep(_GRACE_S)
        os._exit(1)


def _opened(source: FrameSource) -> Opened:
    if not isinstance(source, SizedSource):
        raise ConfigError(
            "process = true in [pipeline] needs a source whose blocks have a greatest size: a "
            "camera, a video or the simulator"
        )
    return Opened(
        width_px=source.width_px,
        block_lines=source.block_lines,
        live=source.live,
        total_lines=source.total_lines,
    )


def main() -> None:
    """Run with four file descriptors as arguments: the connection, and those of the ring."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the daemon tells when to stop
    connection, memory, filled, freed = map(int, sys.argv[1:])
    ring = RingHandles(memory=memory, filled=filled, freed=freed)
    with Connection(connection) as daemon:
        _Child(daemon, ring).run()


if __name__ == "__main__":
    main()
