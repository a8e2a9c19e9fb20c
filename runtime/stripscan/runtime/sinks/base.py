"""The seam for sinks."""

from collections.abc import Callable, Sequence
from typing import Protocol

from stripscan.runtime.outbox_tables import Row


class SinkError(Exception):
    """A receiver cannot be reached or does not take events now; it is tried again."""


class Refused(Exception):  # noqa: N818 - it is the event that is at fault, not the sink
    """A receiver will never take one event.

    Attributes:
        position: Its position; those before it were delivered.
    """

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position


class Sink(Protocol):
    """Takes events of one thread, in order.

    Attributes:
        name: What its cursor is called.
        window: Most events that it takes at a time.
    """

    name: str
    window: int

    def open(self) -> None:
        """Connect.

        Raises:
            SinkError: It cannot be reached.
        """

    def send(self, rows: Sequence[Row], delivered: Callable[[int], None]) -> None:
        """Deliver events, and return once the receiver has them all.

        Args:
            rows: The next events, at most ``window``, in order.
            delivered: To be called with the position up to which all are with the receiver.

        Raises:
            SinkError: It is gone or refuses now; the rest is sent again.
            Refused: It will never take one of them.
        """

    def idle(self) -> None:
        """Look after the connection while there is nothing to send.

        Raises:
            SinkError: It is gone.
        """

    def close(self) -> None:
        """Disconnect; twice does no harm, and nothing is raised."""
