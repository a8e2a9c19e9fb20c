"""Serves a live page until it is told to stop."""

import asyncio
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from stripscan.contract.errors import ConfigError
from stripscan.runtime.station import Station
from stripscan.runtime.station_web import WebSection
from stripscan.runtime.web.accounts import Accounts
from stripscan.runtime.web.app import create_app
from stripscan.runtime.web.database import WebDatabase

logger = logging.getLogger(__name__)

_NICENESS = 10
_GRACE_S = 2


def serve(station: Station, *, on_ready: Callable[[str, bool], None]) -> None:
    """Serve the live page of a station until SIGINT or SIGTERM.

    Args:
        station: The station.
        on_ready: Called with the address and whether there are users, once it listens.

    Raises:
        ConfigError: It cannot listen there, or would let strangers in.
        StoreError: Its database cannot be used.
    """
    web = station.web
    database = WebDatabase(web.database)
    has_users = Accounts(database, session_hours=web.session_hours).any()
    if not has_users and not (web.local and not web.behind_proxy):
        raise ConfigError(
            f'address = "{web.address}" in [web] lets other machines in, and nobody could log in: '
            "add the first user with 'stripscan users add NAME --role engineer --station FILE'"
        )
    app = create_app(station, database)
    with suppress(OSError):  # inspection comes first, on a machine that has both
        os.nice(_NICENESS)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=web.behind_proxy,
        forwarded_allow_ips="127.0.0.1,::1" if web.local else "*",
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=web.certificate,
        ssl_keyfile=web.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"certificate or key in [web] cannot be used: {error}: give PEM files that belong "
            "together"
        ) from error
    with _listening(web) as listening:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"{'https' if web.certificate else 'http'}://{shown}:{port}", has_users)
        for each in (signal.SIGINT, signal.SIGTERM):  # which uvicorn raises again at the end
            signal.signal(each, lambda *_: None)
        asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


def _listening(web: WebSection) -> socket.socket:
    host, port = web.listen_at
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()  # who comes before the server is up waits, and is not refused
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"cannot listen on {web.address}: {error.strerror or error}: choose another address "
            "in [web]"
        ) from error
    return listening
