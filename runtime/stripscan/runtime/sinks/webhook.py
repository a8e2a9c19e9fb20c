"""Events to an HTTP server, in batches, signed."""

import hashlib
import hmac
import http.client
import logging
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from stripscan.contract.event import EVENT_SCHEMA_VERSION
from stripscan.runtime.outbox_tables import Row
from stripscan.runtime.sinks.base import Refused, SinkError
from stripscan.runtime.sinks.credentials import read_secret
from stripscan.runtime.station_events import WebhookSection

logger = logging.getLogger(__name__)

SECRET_VARIABLE: Final = "STRIPSCAN_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
SIGNATURE_HEADER: Final = "X-Stripscan-Signature-256"

_CONTENT_TYPE: Final = "application/cloudevents-batch+json"
_OF_THE_EVENT: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Answers that blame what was sent. Others, such as 401 or 404, blame the set-up: events wait."""


def signature(secret: str, body: bytes) -> str:
    """Return the signature of a body, as GitHub's webhooks have it.

    Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries

    >>> signature("It's a Secret to Everybody", b"Hello, World!")
    'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
    """
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


class WebhookSink:
    """Posts batches; a batch that is answered with 2xx is delivered.

    A batch that is refused for what is in it goes event by event, so that one alone is set aside.

    Args:
        section: Where to.

    Raises:
        ConfigError: The secret cannot be read.
    """

    name = "webhook"

    def __init__(self, section: WebhookSection) -> None:
        self.window = section.batch
        self._section = section
        self._where = urlsplit(section.url).netloc
        self._secret = read_secret(section.secret_file, SECRET_VARIABLE)
        # No redirects: a signed body is for whoever the station file names.
        self._opener = urllib.request.build_opener(_NoRedirect)

    def open(self) -> None:
        """Do nothing: each batch has a connection of its own."""

    def send(self, rows: Sequence[Row], delivered: Callable[[int], None]) -> None:
        """Post events; see ``Sink.send``."""
        status = self._post(rows)
        if status is None:
            delivered(rows[-1].position)
            return
        if len(rows) == 1:
            raise Refused(rows[0].position, f"{self._where} answers {status}")
        for row in rows:
            self.send([row], delivered)

    def idle(self) -> None:
        """Do nothing: there is no connection."""

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _post(self, rows: Sequence[Row]) -> int | None:
        """Return None where a batch is taken, or the status that blames what is in it."""
        body = f"[{','.join(row.text for row in rows)}]".encode()
        headers = {
            "Content-Type": _CONTENT_TYPE,
            "User-Agent": "stripscan",
            "X-Stripscan-Schema-Version": str(EVENT_SCHEMA_VERSION),
        }
        if self._secret:
            headers[SIGNATURE_HEADER] = signature(self._secret, body)
        request = urllib.request.Request(self._section.url, data=body, headers=headers)  # noqa: S310 - the station file takes http alone
        try:
            with self._opener.open(request, timeout=self._section.timeout_s):
                return None
        except urllib.error.HTTPError as error:
            with error:
                if error.code in _OF_THE_EVENT:
                    return error.code
            raise SinkError(f"{self._where} answers {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise SinkError(f"{self._where} does not answer: {reason}") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        """Follow none: the answer is an error."""
