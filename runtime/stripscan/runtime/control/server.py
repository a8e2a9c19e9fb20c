"""The HTTP server of a station."""

import logging
import socket
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stripscan.contract.errors import ConfigError
from stripscan.runtime.control.desk import Answer, Desk, Request, refused
from stripscan.runtime.station_control import Address

logger = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 4096
_SILENCE_S: Final = 5.0
_MIN_TOKEN_CHARS: Final = 16


def read_token(path: Path | None) -> str | None:
    """Return the token in a file, or None where there is no file.

    Raises:
        ConfigError: The file cannot be read, or holds no token to rely on.
    """
    if path is None:
        return None
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read the token: {error}") from error
    if len(token) < _MIN_TOKEN_CHARS or not token.isprintable():
        raise ConfigError(
            f"{path}: a token has at least {_MIN_TOKEN_CHARS} letters on one line: make one with "
            "'openssl rand -hex 32'"
        )
    return token


class ControlServer:
    """Answers while its ``with`` block runs.

    Args:
        address: Where it listens.
        desk: What it answers.

    Raises:
        ConfigError: It cannot listen there.
    """

    def __init__(self, address: Address, desk: Desk) -> None:
        try:
            self._server = _Server(address, desk)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {address.host}:{address.port}: {error.strerror or error}: "
                "choose another address in [control]"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="control"
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        logger.info("listening", extra={"url": self.url})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # who holds a connection open must not hold up the end

    def __init__(self, address: Address, desk: Desk) -> None:
        self.desk = desk
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        super().__init__((address.host, address.port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what broke a connection, most often that the other side has gone."""
        logger.debug("a request broke off", extra={"why": repr(sys.exception())})


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "stripscan"
    sys_version = ""
    timeout = _SILENCE_S
    error_content_type = "application/json"
    error_message_format = '{"error": "%(message)s"}\n'

    def do_GET(self) -> None:
        """Answer a question."""
        if self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True  # its body is not read
        self._respond(b"")

    def do_POST(self) -> None:
        """Answer a command."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "send it with a Content-Length")
        elif len(length) > len(str(MAX_BODY_BYTES)) or int(length) > MAX_BODY_BYTES:
            reason = f"it has more than {MAX_BODY_BYTES} bytes"
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        else:
            self._respond(self.rfile.read(int(length)))

    def _respond(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        request = Request(method=self.command, path=path, headers=headers, query=query, body=body)
        self._send(self.server.desk.answer(request))

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.close_connection = True  # the body is not read, so nothing after it can be
        self._send(refused(status, reason))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Log requests for whoever debugs."""
        logger.debug(format, *args)
