"""Requests and their answers, without any sockets."""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from stripscan.contract.errors import CommandError
from stripscan.runtime.control.bodies import parse_start
from stripscan.runtime.control.metrics import CONTENT_TYPE, Metrics
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.station_control import is_loopback
from stripscan.runtime.supervision import Supervisor

_JSON: Final = "application/json"
_MAX_DIGITS: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked.

    Attributes:
        method: ``GET`` or ``POST``.
        path: Path without query.
        query: What follows the question mark.
        headers: Names in lower case.
        body: At most some kilobytes.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered."""

    status: HTTPStatus
    body: bytes
    content_type: str = _JSON


def told(status: HTTPStatus, content: Mapping[str, object]) -> Answer:
    """Return an answer in JSON."""
    return Answer(status=status, body=json.dumps(content).encode() + b"\n")


def refused(status: HTTPStatus, reason: str) -> Answer:
    """Return an answer that says why not."""
    return told(status, {"error": reason})


class Desk:
    """Answers requests to one station, in any thread.

    Args:
        station: Name of the station.
        supervisor: What is known of it.
        orders: Where commands go.
        metrics: What monitoring is told.
        token: What each request must bring as ``Authorization: Bearer …``, if anything.
    """

    def __init__(
        self,
        station: str,
        *,
        supervisor: Supervisor,
        orders: OrderBook,
        metrics: Metrics,
        token: str | None = None,
    ) -> None:
        self._station = station
        self._supervisor = supervisor
        self._orders = orders
        self._metrics = metrics
        self._token = token
        self._routes: dict[str, tuple[str, Callable[[Request], Answer]]] = {
            "/coils": ("POST", self._start),
            "/coils/end": ("POST", self._end),
            "/status": ("GET", self._status),
            "/strip": ("GET", self._strip),
            "/healthz": ("GET", self._health),
            "/readyz": ("GET", self._readiness),
            "/metrics": ("GET", self._figures),
        }

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request."""
        if not self._is_trusted(request):
            return refused(
                HTTPStatus.UNAUTHORIZED, "the token is missing or wrong: Authorization: Bearer …"
            )
        if not self._is_meant(request):
            return refused(
                HTTPStatus.MISDIRECTED_REQUEST,
                "without a token it answers to 127.0.0.1, [::1] and localhost, to no other name",
            )
        route = self._routes.get(request.path)
        if route is None:
            paths = ", ".join(sorted(self._routes))
            return refused(HTTPStatus.NOT_FOUND, f"there is no {request.path}, but {paths}")
        method, respond = route
        if request.method != method:
            return refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} is for {method}")
        # A page in a browser of this machine can post forms to it, but no JSON.
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if method == "POST" and kind != _JSON:
            return refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send it with Content-Type: {_JSON}")
        return respond(request)

    def _is_trusted(self, request: Request) -> bool:
        if self._token is None:
            return True
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode())

    def _is_meant(self, request: Request) -> bool:
        """Return whether a request is for this machine by a name that only it can have.

        A page in a browser of this machine may come from a name that leads here by now (DNS
        rebinding), and then read and send what it likes; the name stays that of the page.
        """
        host = request.headers.get("host")
        if self._token is not None or host is None:
            return True
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        return name is not None and is_loopback(name)

    def _start(self, request: Request) -> Answer:
        try:
            coil = parse_start(request.body).planned()
        except CommandError as error:
            return refused(HTTPStatus.BAD_REQUEST, str(error))
        try:
            ended = self._orders.start(coil)
        except CommandError as error:
            return refused(HTTPStatus.CONFLICT, str(error))
        return told(HTTPStatus.ACCEPTED, {"coil": coil.id, "ended": ended})

    def _end(self, request: Request) -> Answer:
        if request.body.strip() not in {b"", b"{}"}:
            return refused(HTTPStatus.BAD_REQUEST, "the end of a coil says nothing more: send {}")
        try:
            ended = self._orders.end()
        except CommandError as error:
            return refused(HTTPStatus.CONFLICT, str(error))
        return told(HTTPStatus.ACCEPTED, {"coil": None, "ended": ended})

    def _health(self, _request: Request) -> Answer:
        if hanging := self._supervisor.hanging():
            return refused(HTTPStatus.SERVICE_UNAVAILABLE, hanging)
        return told(HTTPStatus.OK, {"state": str(self._supervisor.state)})

    def _readiness(self, _request: Request) -> Answer:
        state = self._supervisor.state
        if not self._supervisor.ready:
            return refused(HTTPStatus.SERVICE_UNAVAILABLE, f"the station is {state}")
        return told(HTTPStatus.OK, {"state": str(state)})

    def _figures(self, _request: Request) -> Answer:
        text = self._metrics.text()
        return Answer(status=HTTPStatus.OK, body=text, content_type=CONTENT_TYPE)

    def _strip(self, request: Request) -> Answer:
        after = parse_qs(request.query).get("after", ["0"])[-1]
        if not (after.isascii() and after.isdecimal() and len(after) <= _MAX_DIGITS):
            return refused(HTTPStatus.BAD_REQUEST, "after is the number of the last band you have")
        return told(HTTPStatus.OK, {"bands": self._supervisor.view.after(int(after))})

    def _status(self, _request: Request) -> Answer:
        supervisor = self._supervisor
        figures, name_digest = supervisor.figures, supervisor.bundle
        return told(
            HTTPStatus.OK,
            {
                "station": self._station,
                "state": str(supervisor.state),
                "reason": supervisor.reason,
                "coil": _coil(supervisor),
                "speed_m_s": round(supervisor.speed_m_s(), 3),
                "latency_p50_ms": figures.latency.percentile_ms(50),
                "latency_p99_ms": figures.latency.percentile_ms(99),
                "lost_lines": figures.lost_lines,
                "lines_without_coil": figures.lines_without_coil,
                "dropped_blocks": figures.dropped_blocks,
                "bundle": dict(zip(("name", "digest"), name_digest, strict=True)),
                "rules": supervisor.rules,
            },
        )


def _coil(supervisor: Supervisor) -> dict[str, object] | None:
    now = supervisor.coil
    if now is None:
        return None
    return {
        "id": now.plan.id,
        "length_m": round(now.progress.length_m, 3),
        "defects": now.progress.defects,
        "planned_length_m": now.plan.length_m,
        "planned_width_mm": now.plan.width_mm,
    }
