"""How often somebody may fail to log in."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 300.0
PER_ACCOUNT: Final = 5
PER_ADDRESS: Final = 20
_MAX_KEYS: Final = 10_000


class LoginLimit:
    """Counts failures of the last five minutes, by account and by address.

    An account that is tried too often waits, whoever tries it; so does an address that tries many
    accounts. A successful login clears the account. Memory is bounded: the keys that were used
    longest ago are forgotten first.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, account: str, address: str) -> float:
        """Return how long they must wait before the next try, in s; 0 where they need not."""
        with self._lock:
            return max(
                self._wait_s(("account", account), PER_ACCOUNT),
                self._wait_s(("address", address), PER_ADDRESS),
            )

    def failed(self, account: str, address: str) -> None:
        """Count a failure."""
        with self._lock:
            for key in (("account", account), ("address", address)):
                self._failures.setdefault(key, []).append(self._clock())
                self._failures.move_to_end(key)
            while len(self._failures) > _MAX_KEYS:
                self._failures.popitem(last=False)

    def passed(self, account: str) -> None:
        """Forget the failures of an account that has logged in."""
        with self._lock:
            self._failures.pop(("account", account), None)

    def _wait_s(self, key: tuple[str, str], allowed: int) -> float:
        since = self._clock() - WINDOW_S
        recent = [at for at in self._failures.get(key, ()) if at > since]
        if not recent:
            self._failures.pop(key, None)
            return 0.0
        self._failures[key] = recent
        return recent[-allowed] - since if len(recent) >= allowed else 0.0
