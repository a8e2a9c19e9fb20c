"""What the station itself tells, over its control server."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any, Final

from stripscan.runtime.station_control import Address

_TIMEOUT_S: Final = 3.0
_MAX_BYTES: Final = 8_000_000


class Upstream:
    """Asks a station; each call waits some seconds at most.

    Args:
        address: Where the station listens.
        token: What it wants to be brought, if anything.
    """

    def __init__(self, address: Address, *, token: str | None) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._url = f"http://{_here(host)}:{address.port}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def status(self) -> dict[str, Any] | None:
        """Return the station's status, or None where it does not answer."""
        return self._ask("/status")

    def strip(self, after: int) -> list[dict[str, Any]]:
        """Return the bands behind one, from the oldest."""
        answer = self._ask(f"/strip?after={after}")
        bands = answer.get("bands") if answer else None
        return bands if isinstance(bands, list) else []

    def _ask(self, path: str) -> dict[str, Any] | None:
        request = urllib.request.Request(self._url + path, headers=self._headers)  # noqa: S310 - http, from the station file
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the same
                content = json.loads(answer.read(_MAX_BYTES))
        except (OSError, ValueError, http.client.HTTPException):
            return None
        return content if isinstance(content, dict) else None


def _here(host: str) -> str:
    """Return where to ask a station that listens on all addresses."""
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - to be replaced
