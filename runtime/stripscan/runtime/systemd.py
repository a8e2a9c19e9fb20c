"""What systemd is told: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

logger = logging.getLogger(__name__)

_PATIENCE_S: Final = 0.2  # a manager that does not read must not hold up the inspection
_EXTENSION_S: Final = 60.0
_LONGEST_START_S: Final = 3600.0  # building an engine takes minutes


class Notifier:
    """Sends messages to the service manager, if one started this process.

    Args:
        environment: Where ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_us = environment.get("WATCHDOG_USEC", "") if mine else ""
        self._pause_s = int(watchdog_us) / 1e6 / 4 if watchdog_us.isdecimal() else None
        self._fed_s = float("-inf")

    def send(self, **fields: str) -> None:
        """Send fields such as ``READY="1"``; without a service manager do nothing."""
        if not self._address:
            return
        message = "\n".join(f"{name}={value}" for name, value in fields.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.settimeout(_PATIENCE_S)
                out.sendto(message.encode(), self._address)
        except OSError as error:
            logger.warning("systemd is not told: %s", error.strerror or error)

    def feed_watchdog(self) -> None:
        """Tell that the main loop turns; may be called as often as it does."""
        now_s = time.monotonic()
        if self._pause_s is not None and now_s - self._fed_s >= self._pause_s:
            self._fed_s = now_s
            self.send(WATCHDOG="1")

    @contextmanager
    def starting(self, *, every_s: float = _EXTENSION_S / 3) -> Iterator[None]:
        """Ask for more time again and again while the block runs, for at most an hour."""
        if not self._address:
            yield
            return
        done = threading.Event()

        def ask() -> None:
            limit_s = time.monotonic() + _LONGEST_START_S
            while time.monotonic() < limit_s:
                self.send(EXTEND_TIMEOUT_USEC=str(round(_EXTENSION_S * 1e6)))
                if done.wait(every_s):
                    return

        thread = threading.Thread(target=ask, name="starting", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
