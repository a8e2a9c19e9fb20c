"""Coil changes on their way to the main loop, from whoever orders them."""

import threading
import time
from collections import deque
from collections.abc import Iterable

from stripscan.contract.errors import CommandError
from stripscan.runtime.coil_switch import ChangeOrder, PlannedCoil


class OrderBook:
    """Takes orders from any thread, or says why not.

    An order gets its moment while nobody takes orders out. So when the loop holds a block and takes
    out what is there, it has every order from before the block was in memory.

    Args:
        closed: Why no order is taken yet.
    """

    def __init__(self, closed: str) -> None:
        self._lock = threading.Lock()
        self._orders: deque[ChangeOrder] = deque()
        self._closed = closed
        self._known: set[str] = set()
        self._current: str | None = None

    def open(self, known: Iterable[str]) -> None:
        """Take orders from now on.

        Args:
            known: Ids of coils that are in the store.
        """
        with self._lock:
            self._known.update(known)
            self._closed = ""

    def close(self, reason: str) -> None:
        """Refuse orders from now on, and say why."""
        with self._lock:
            self._closed = reason

    def start(self, coil: PlannedCoil) -> str | None:
        """Order that a coil begins now, and return the one that ends at the same line, if any.

        Raises:
            CommandError: There was a coil of that id, or no order is taken.
        """
        with self._lock:
            self._check_is_open()
            if coil.id in self._known:
                raise CommandError(f"coil {coil.id} is already in the store: choose another id")
            self._known.add(coil.id)
            ended, self._current = self._current, coil.id
            self._orders.append(ChangeOrder(at_ns=time.monotonic_ns(), coil=coil))
            return ended

    def end(self) -> str:
        """Order that the coil ends now, and return its id.

        Raises:
            CommandError: No coil is running, or no order is taken.
        """
        with self._lock:
            self._check_is_open()
            if self._current is None:
                raise CommandError("no coil is running: start one first")
            ended, self._current = self._current, None
            self._orders.append(ChangeOrder(at_ns=time.monotonic_ns(), coil=None))
            return ended

    def take(self) -> list[ChangeOrder]:
        """Return the orders that have come since the last call."""
        with self._lock:
            taken = list(self._orders)
            self._orders.clear()
            return taken

    def _check_is_open(self) -> None:
        if self._closed:
            raise CommandError(self._closed)
