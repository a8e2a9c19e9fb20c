"""What the daemon and its acquisition process say to each other, and the process itself."""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stripscan.contract.errors import CameraError
from stripscan.runtime.ring_memory import RingHandles, RingShape
from stripscan.runtime.sources import FrameSource
from stripscan.runtime.station import Station

CHILD = "stripscan.runtime.acquisition_child"

Opener = Callable[[Station], FrameSource]
"""Makes a source; a function of a module, so that another process can import it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """To the process, first: the station, who opens its source, and from which level it logs."""

    station: Station
    opener: Opener
    log_level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """From the process: what is known of the source once it is entered."""

    width_px: int
    block_lines: int
    live: bool
    total_lines: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """To the process: take lines, into this ring."""

    shape: RingShape
    session: int
    drops: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """From the process, now and then: what its source has counted."""

    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """From the process, last: the source ended, with an error or without."""

    error: type[Exception] | None = None
    message: str = ""


class AcquisitionChild:
    """A running acquisition process.

    It is an interpreter of its own, not a fork: threads of the daemon may hold locks. It is no
    member of the daemon's process group, so that Ctrl-C reaches the daemon alone.

    Args:
        setup: What it shall open.
        ring: The ring that it will write to.

    Raises:
        CameraError: The machine has no room for a process.
    """

    def __init__(self, setup: Setup, ring: RingHandles) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        handles = (theirs.fileno(), *ring.all)
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter, our arguments
                    [sys.executable, "-P", "-m", CHILD, *map(str, handles)],
                    pass_fds=handles,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    process_group=0,
                )
        except OSError as error:
            self._connection.close()
            raise CameraError(f"the acquisition process cannot be started: {error}") from error
        self.send(setup)

    def send(self, message: Setup | Start) -> None:
        """Say something; a process that is gone does not hear it."""
        with contextlib.suppress(OSError):
            self._connection.send(message)

    def stop(self) -> None:
        """Ask it to end; it does the same when the daemon dies. A signal handler may call it."""
        with (
            contextlib.suppress(OSError),
            socket.socket(fileno=os.dup(self._connection.fileno())) as end,
        ):
            end.shutdown(socket.SHUT_WR)

    def messages(self) -> Iterator[Any]:
        """Yield what it says until it has ended; its log lines become ours."""
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                return
            if isinstance(message, logging.LogRecord):
                logging.getLogger(message.name).handle(message)
            else:
                yield message

    def answer(self) -> Opened:
        """Wait until its source is entered.

        Raises:
            StripscanError: It could not be.
        """
        for message in self.messages():
            if isinstance(message, Opened):
                return message
            if isinstance(message, Ended) and message.error is not None:
                raise message.error(message.message)
        raise CameraError(f"the acquisition process {self.fate()} before its source was open")

    def fate(self) -> str:
        """Wait for its end and return how it came, for messages."""
        code = self._process.wait()
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> None:
        """Wait for its end and let go of it; :meth:`stop` or :meth:`kill` comes first."""
        self._process.wait()
        self._connection.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid
