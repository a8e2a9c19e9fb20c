"""One look at the station for all browsers that look on."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from stripscan.runtime.web.look import Look, Watch

logger = logging.getLogger(__name__)

TURN_S: Final = 0.25
"""Time from look to look."""

_QUEUED: Final = 40
"""Messages that wait for a slow browser before it starts anew from all that is known."""


class Hub:
    """Looks while somebody listens, and tells all listeners what has changed.

    Args:
        watch: What looks.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._wanted = asyncio.Event()
        self._last: dict[str, Any] = {}
        self._bands: deque[dict[str, Any]] = deque(maxlen=64)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            if not self._listeners:
                self._wanted.clear()
                await self._wanted.wait()
            try:
                look = await asyncio.to_thread(self._watch.look)
            except Exception:  # a page that is wrong for a moment is better than one that stops
                logger.exception("the station could not be looked at")
            else:
                self._tell(look)
            await asyncio.sleep(TURN_S)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["asyncio.Queue[bytes | None]"]:
        """Give a queue of messages, from all that is known on; None asks to start anew."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED)
        for message in self.known():
            queue.put_nowait(message)
        self._listeners.add(queue)
        self._wanted.set()
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def known(self) -> list[bytes]:
        """Return messages that tell all that is known."""
        messages = [message(name, value) for name, value in self._last.items()]
        return [*messages, message("bands", list(self._bands))] if self._bands else messages

    def _tell(self, look: Look) -> None:
        messages = []
        for name, value in look.state.items():
            if name not in self._last or self._last[name] != value:
                self._last[name] = value
                messages.append(message(name, value))
        if look.bands:
            if self._bands and look.bands[0]["coil"] != self._bands[-1]["coil"]:
                self._bands.clear()
            self._bands.extend(look.bands)
            messages.append(message("bands", look.bands))
        if look.fresh["number"]:
            messages.append(message("fresh", look.fresh))
        for each in messages or [message("beat", None)]:
            for queue in self._listeners:
                _offer(queue, each)


def message(event: str, data: object) -> bytes:
    r"""Return a server-sent event.

    Example:
        >>> message("beat", {"a": 1})
        b'event: beat\ndata: {"a":1}\n\n'
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return f"event: {event}\ndata: {text}\n\n".encode()


def _offer(queue: "asyncio.Queue[bytes | None]", each: bytes) -> None:
    if queue.full():
        while True:
            with suppress(asyncio.QueueEmpty):
                queue.get_nowait()
                continue
            break
        queue.put_nowait(None)
        return
    queue.put_nowait(each)
