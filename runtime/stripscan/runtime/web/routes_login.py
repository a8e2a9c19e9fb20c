"""Logging in and out, and what is known of who asks."""

import secrets
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from stripscan.runtime.web.accounts import MAX_PASSWORD_CHARS
from stripscan.runtime.web.context import Asker, Context, With, address_of, needs
from stripscan.runtime.web.gate import CSRF_HEADER, cookie_of
from stripscan.runtime.web.roles import Role

router = APIRouter(prefix="/api")

LOGIN_COOKIE = "stripscan_login"
_MAX_NAME_CHARS = 64
_LOG_LINES = 500


class Login(BaseModel):
    """Who wants in."""

    model_config = ConfigDict(extra="forbid")
    user: Annotated[str, Field(max_length=_MAX_NAME_CHARS)]
    password: Annotated[str, Field(max_length=MAX_PASSWORD_CHARS)]


@router.post("/login", status_code=HTTPStatus.NO_CONTENT)
def login(given: Login, request: Request, context: With) -> Response:
    """Open a session."""
    _require_our_page(request, context)
    address = address_of(request)
    wait_s = context.limit.wait_s(given.user, address)
    if wait_s > 0:
        context.database.note("login refused", user=given.user, address=address)
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too many tries: wait some minutes",
            headers={"Retry-After": str(int(wait_s) + 1)},
        )
    if not context.accounts.is_password(given.user, given.password):
        context.limit.failed(given.user, address)
        context.database.note("login failed", user=given.user, address=address)
        raise HTTPException(HTTPStatus.FORBIDDEN, "user or password is wrong")
    context.limit.passed(given.user)
    context.database.note("login", user=given.user, address=address)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    cookie = context.accounts.open_session(given.user)
    set_cookie(response, context, context.cookie, cookie)
    response.delete_cookie(LOGIN_COOKIE)
    return response


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
def logout(request: Request, context: With, asker: Asker) -> Response:
    """Close the session."""
    context.accounts.close_session(asker.session)
    context.database.note("logout", user=asker.user, address=address_of(request))
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(context.cookie, secure=context.encrypted, httponly=True)
    return response


@router.get("/me")
def me(context: With, asker: Asker) -> dict[str, str]:
    """Return who asks."""
    return {"user": asker.user, "role": asker.role.name.lower(), "station": context.station}


@router.get("/audit", dependencies=[needs(Role.ENGINEER)])
def audit(context: With) -> list[dict[str, Any]]:
    """Return the last lines of the audit log, from the newest."""
    rows = context.database.rows(
        "SELECT at, user, address, action, detail FROM audit ORDER BY id DESC LIMIT ?", _LOG_LINES
    )
    return [dict(row) for row in rows]


def login_token(context: Context) -> tuple[str, str]:
    """Return a word for a cookie, and what the login page must bring with it."""
    word = secrets.token_urlsafe(16)
    return word, context.accounts.signature("login", word)


def set_cookie(response: Response, context: Context, name: str, value: str) -> None:
    """Give a browser a cookie that it brings to this page alone, and no script reads."""
    response.set_cookie(
        name,
        value,
        path="/",
        secure=context.encrypted,
        httponly=True,
        samesite="strict",
    )


def _require_our_page(request: Request, context: Context) -> None:
    word = cookie_of(request.headers, LOGIN_COOKIE)
    given = request.headers.get(CSRF_HEADER, "")
    if not word or not context.accounts.is_signed("login", word, given):
        raise HTTPException(HTTPStatus.FORBIDDEN, "the page is out of date: load it again")
