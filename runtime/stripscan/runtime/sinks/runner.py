"""Runs a sink in a thread: reads the outbox, sends, waits, and begins anew where it fails."""

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Self

from stripscan.runtime.news import Bell
from stripscan.runtime.outbox import Outbox
from stripscan.runtime.outbox_tables import OutboxTables
from stripscan.runtime.sinks.base import Refused, Sink, SinkError

logger = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 30.0
"""Between tries; it doubles from the first to the longest, and each is up to a quarter off."""

GRACE_S: Final = 3.0
"""How long the end of the station waits for what is on its way."""

_LOOK_S: Final = 1.0


class SinkRunner:
    """Keeps one sink supplied while its ``with`` block runs.

    Args:
        sink: Where the events go.
        outbox: Who is told how far it is.
        bell: Rings when there are new events.
        reading: Opens the tables for this thread alone.
        grace_s: How long the end waits for what is left.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        outbox: Outbox,
        bell: Bell,
        reading: Callable[[], AbstractContextManager[OutboxTables]],
        grace_s: float = GRACE_S,
    ) -> None:
        self._sink = sink
        self._outbox = outbox
        self._bell = bell
        self._reading = reading
        self._grace_s = grace_s
        self._stop_s: float | None = None  # after this moment nothing more is sent
        self._stopping = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name=f"sink {sink.name}", daemon=True)

    @property
    def trouble(self) -> str:
        """Why nothing is delivered; empty where all is well."""
        return self._trouble

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_s = time.monotonic() + self._grace_s
        self._stopping.set()
        self._bell.ring()
        # A sink that hangs in a call is left behind; what it has not told is sent again.
        self._thread.join(2 * self._grace_s + 1.0)

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._is_over():
            begun = self._outbox.cursor(self._sink.name)
            try:
                self._serve()
                return
            except SinkError as error:
                self._complain(str(error))
            except Exception as error:
                logger.exception("a sink failed", extra={"sink": self._sink.name})
                self._complain(repr(error))
            finally:
                self._sink.close()
            if self._outbox.cursor(self._sink.name) > begun:
                pause_s = FIRST_PAUSE_S
            self._stopping.wait(pause_s * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if self._stopping.is_set() and self._trouble:
                return  # it did not take them before, and the station waits for nobody twice

    def _serve(self) -> None:
        self._sink.open()
        with self._reading() as tables:
            self._recovered()
            heard = -1
            while not self._is_over():
                rows = tables.after(self._outbox.cursor(self._sink.name), self._sink.window)
                if rows:
                    try:
                        self._sink.send(rows, self._delivered)
                    except Refused as refusal:
                        self._set_aside(refusal)
                    self._recovered()
                elif self._stopping.is_set():
                    return
                else:
                    self._sink.idle()
                    heard = self._bell.wait(heard, _LOOK_S)

    def _delivered(self, position: int) -> None:
        self._outbox.delivered(self._sink.name, position)

    def _set_aside(self, refusal: Refused) -> None:
        logger.error("an event is refused", extra={"sink": self._sink.name, "reason": str(refusal)})
        self._outbox.park(self._sink.name, refusal.position, str(refusal))
        self._delivered(refusal.position)

    def _complain(self, reason: str) -> None:
        if reason != self._trouble:
            logger.warning(
                "events wait",
                extra={"sink": self._sink.name, "reason": reason, "try_again": True},
            )
        self._trouble = reason

    def _recovered(self) -> None:
        if self._trouble:
            logger.info("events are delivered again", extra={"sink": self._sink.name})
        self._trouble = ""

    def _is_over(self) -> bool:
        return self._stop_s is not None and time.monotonic() > self._stop_s
