"""The one place where a live page is put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from stripscan.contract.errors import StoreError
from stripscan.runtime.control.server import read_token
from stripscan.runtime.station import Station
from stripscan.runtime.station_control import ControlSection
from stripscan.runtime.web import (
    routes_coils,
    routes_live,
    routes_login,
    routes_pages,
    routes_review,
)
from stripscan.runtime.web.accounts import Accounts
from stripscan.runtime.web.context import Context
from stripscan.runtime.web.database import WebDatabase
from stripscan.runtime.web.gate import Gate, session_cookie
from stripscan.runtime.web.limits import LoginLimit
from stripscan.runtime.web.live import Hub
from stripscan.runtime.web.look import Watch
from stripscan.runtime.web.reading import Reader, UnavailableError, UnknownError
from stripscan.runtime.web.reviews import Reviews
from stripscan.runtime.web.upstream import Upstream


def create_app(station: Station, database: WebDatabase) -> FastAPI:
    """Return the live page of a station.

    Args:
        station: Whose store is read, and who is asked what is live.
        database: What the page itself keeps.

    Raises:
        ConfigError: The file of the station's token cannot be read.
    """
    control = station.control or ControlSection()
    reader, reviews = Reader(station.store.path), Reviews(database)
    upstream = Upstream(control.listen_at, token=read_token(control.token_file))
    accounts = Accounts(database, session_hours=station.web.session_hours)
    encrypted = station.web.encrypted
    context = Context(
        station=station.name,
        database=database,
        accounts=accounts,
        reviews=reviews,
        reader=reader,
        hub=Hub(Watch(upstream, reader, reviews)),
        limit=LoginLimit(),
        cookie=session_cookie(encrypted=encrypted),
        encrypted=encrypted,
    )
    app = FastAPI(
        title="stripscan",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.context = context
    for routes in (routes_coils, routes_live, routes_login, routes_pages, routes_review):
        app.include_router(routes.router)
    app.add_middleware(Gate, accounts=accounts, cookie=context.cookie)
    app.add_exception_handler(UnknownError, _unknown)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    looking = asyncio.create_task(context.hub.run())
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def _unknown(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=HTTPStatus.NOT_FOUND)


def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=HTTPStatus.SERVICE_UNAVAILABLE)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Say what is wrong without the value, which may be a password or no JSON."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    told = [{"loc": each["loc"], "msg": each["msg"]} for each in problems]
    return JSONResponse({"detail": told}, status_code=HTTPStatus.UNPROCESSABLE_ENTITY)
