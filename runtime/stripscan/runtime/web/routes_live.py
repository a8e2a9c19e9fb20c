"""What happens now, as server-sent events (https://html.spec.whatwg.org/#server-sent-events)."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from stripscan.runtime.web.context import Context, With
from stripscan.runtime.web.gate import cookie_of

router = APIRouter(prefix="/api")

_CHECK_S = 15.0
"""How often it is checked that who looks on still may."""


@router.get("/live", response_class=StreamingResponse)
def live(request: Request, context: With) -> StreamingResponse:
    """Return events without an end."""
    return StreamingResponse(
        _events(request, context),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(request: Request, context: Context) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async with context.hub.listening() as queue:
        loop = asyncio.get_running_loop()
        check_at = loop.time() + _CHECK_S
        while True:
            try:
                each = await asyncio.wait_for(queue.get(), timeout=_CHECK_S)
            except TimeoutError:
                each = b": still here\n\n"
            if each is None:  # the browser was too slow: it starts again from all that is known
                return
            yield each
            if loop.time() > check_at:
                check_at = loop.time() + _CHECK_S
                if not await run_in_threadpool(_still_may, request, context):
                    return


def _still_may(request: Request, context: Context) -> bool:
    if not request.state.identity.session:
        return True
    cookie = cookie_of(request.headers, context.cookie)
    return context.accounts.of_session(cookie) is not None
