"""What stands between the network and every route: who asks, whether a page of ours asked, how.

It refuses by default: a route that is not named here is for those who have proved who they are.
"""

import json
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stripscan.contract.errors import StoreError
from stripscan.runtime.web.accounts import Accounts, Identity

OPEN: Final = frozenset({"/login", "/api/login", "/healthz"})
OPEN_FOLDER: Final = "/static/"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY_BYTES: Final = 16_384

CSRF_HEADER: Final = "x-csrf-token"

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS: Final = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


def session_cookie(*, encrypted: bool) -> str:
    """Return the name of the session's cookie; ``__Host-`` ties it to this host and to TLS."""
    return "__Host-stripscan" if encrypted else "stripscan"


class Gate:
    """Lets requests through, each with ``scope["state"]["identity"]``.

    Args:
        app: What is behind it.
        accounts: Who is known.
        cookie: Name of the session's cookie.
    """

    def __init__(self, app: ASGIApp, *, accounts: Accounts, cookie: str) -> None:
        self._app = app
        self._accounts = accounts
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets; the server closes the connection
        send = _with_headers(send)
        headers = Headers(scope=scope)
        try:
            identity = await run_in_threadpool(self._identify, headers)
        except StoreError as error:
            await _refuse(send, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
            return
        scope.setdefault("state", {})["identity"] = identity
        if identity is None and not is_open(scope["path"]):
            await self._turn_away(scope, send)
            return
        if refused := self._refusal(scope["method"], headers, identity):
            await _refuse(send, *refused)
            return
        await self._app(scope, receive, send)

    def _identify(self, headers: Headers) -> Identity | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._accounts.of_token(token.strip())
        cookie = cookie_of(headers, self._cookie)
        return self._accounts.of_session(cookie) if cookie else None

    def _refusal(
        self, method: str, headers: Headers, identity: Identity | None
    ) -> tuple[HTTPStatus, str] | None:
        if method in SAFE:
            return None
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdecimal()):
            return HTTPStatus.LENGTH_REQUIRED, "send it with a Content-Length"
        if len(length) > len(str(MAX_BODY_BYTES)) or int(length) > MAX_BODY_BYTES:
            return (
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"it has more than {MAX_BODY_BYTES} bytes",
            )
        if identity and identity.session:
            given = headers.get(CSRF_HEADER, "")
            if not self._accounts.is_signed("csrf", identity.session, given):
                return HTTPStatus.FORBIDDEN, "the page is out of date: load it again"
        return None

    @staticmethod
    async def _turn_away(scope: Scope, send: Send) -> None:
        if scope["method"] in SAFE and not scope["path"].startswith("/api/"):
            start = {
                "type": "http.response.start",
                "status": HTTPStatus.SEE_OTHER,
                "headers": [(b"location", b"/login"), (b"content-length", b"0")],
            }
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        await _refuse(send, HTTPStatus.UNAUTHORIZED, "log in first")


def is_open(path: str) -> bool:
    """Return whether a path is for everybody."""
    return path in OPEN or path.startswith(OPEN_FOLDER)


def cookie_of(headers: Headers, name: str) -> str:
    """Return the value of a cookie; empty where it is not there."""
    try:
        cookies: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


async def _refuse(send: Send, status: HTTPStatus, reason: str) -> None:
    body = json.dumps({"error": reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
