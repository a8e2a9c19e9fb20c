"""Signals as wishes, from the first moment of a run to its last: to stop, or to read anew."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Shutdown:
    """Remembers that somebody asked to stop, and passes it on.

    Attributes:
        requested: Whether a signal has come.
    """

    def __init__(self) -> None:
        self.requested = False
        self._actions: list[Callable[[], None]] = []

    def on_request(self, action: Callable[[], None]) -> None:
        """Call ``action`` when a signal comes, or now where one has come already.

        Args:
            action: Returns at once; it may be called twice.
        """
        self._actions.append(action)
        if self.requested:
            action()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals; after the first, the next one ends the process as it did before.

        Outside the main thread signals cannot be taken, and nothing is changed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}

        def restore() -> None:
            for number in _SIGNALS:
                signal.signal(number, before[number])

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.requested = True
            restore()
            for action in self._actions:
                action()

        for number in _SIGNALS:
            signal.signal(number, stop)
        try:
            yield
        finally:
            restore()


class Hangup:
    """Remembers SIGHUP, which asks a daemon to read its files again."""

    def __init__(self) -> None:
        self._requested = False

    def taken(self) -> bool:
        """Return whether the signal has come since the last call."""
        requested, self._requested = self._requested, False
        return requested

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signal; outside the main thread that cannot be, and nothing is changed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def remember(_number: int, _frame: FrameType | None) -> None:
            self._requested = True

        before = signal.signal(signal.SIGHUP, remember)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)
