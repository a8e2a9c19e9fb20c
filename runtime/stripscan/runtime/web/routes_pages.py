"""The pages themselves, in the language of whoever looks at them, and their files."""

import hashlib
import json
import mimetypes
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Annotated, Any, Final

from fastapi import APIRouter, Cookie, Header, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from stripscan.contract.classes import NEU_CLASSES
from stripscan.runtime.web.context import Asker, Context, With
from stripscan.runtime.web.roles import Role
from stripscan.runtime.web.routes_login import LOGIN_COOKIE, login_token, set_cookie

router = APIRouter(include_in_schema=False)

_PACKAGE: Final = "stripscan.runtime.web"
_FOLDER: Final = "static"

Language = Annotated[str, Header(alias="accept-language")]
Chosen = Annotated[str, Cookie(alias="stripscan_language")]


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Return the catalogue: texts by language, then key."""
    text = (files(_PACKAGE) / _FOLDER / "texts.json").read_text("utf-8")
    catalogue: Mapping[str, Mapping[str, str]] = json.loads(text)
    return catalogue


def language_of(chosen: str, accepted: str) -> str:
    """Return the language of a page.

    Args:
        chosen: What was chosen in the page before, if anything.
        accepted: ``Accept-Language`` of the browser (RFC 9110, 12.5.4).

    Example:
        >>> language_of("", "fr;q=0.9, de-AT;q=0.8, en;q=0.7")
        'de'
    """
    if chosen in texts():
        return chosen
    best, weight = "en", 0.0
    for part in accepted.split(","):
        tag, _, quality = part.strip().partition(";q=")
        language = tag.split("-")[0].strip().lower()
        try:
            q = float(quality) if quality else 1.0
        except ValueError:
            continue
        if language in texts() and q > weight:
            best, weight = language, q
    return best


@router.get("/login", response_class=HTMLResponse)
def login_page(context: With, chosen: Chosen = "", accepted: Language = "") -> Response:
    """Return the page that asks for user and password."""
    word, token = login_token(context)
    response = _page("login", context, language_of(chosen, accepted), token=token)
    set_cookie(response, context, LOGIN_COOKIE, word)
    return response


@router.get("/healthz")
def health() -> dict[str, str]:
    """Return that the page is served."""
    return {"state": "serving"}


@router.get("/", response_class=HTMLResponse)
@router.get("/coil", response_class=HTMLResponse)
@router.get("/history", response_class=HTMLResponse)
@router.get("/review", response_class=HTMLResponse)
def page(
    request: Request, context: With, asker: Asker, chosen: Chosen = "", accepted: Language = ""
) -> Response:
    """Return a page."""
    token = context.accounts.signature("csrf", asker.session) if asker.session else ""
    name = request.url.path.strip("/") or "live"
    return _page(
        name,
        context,
        language_of(chosen, accepted),
        token=token,
        user=asker.user,
        role=asker.role,
    )


@router.get("/static/{name}")
def static(name: str, if_none_match: Annotated[str, Header()] = "") -> Response:
    """Return a file of the pages."""
    found = static_files().get(name)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such file")
    content, media_type, mark = found
    headers = {"ETag": mark, "Cache-Control": "no-cache"}
    if if_none_match == mark:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


@cache
def static_files() -> Mapping[str, tuple[bytes, str, str]]:
    """Return content, type and mark of each file by name: there is no path to be climbed."""
    found = {}
    for file in (files(_PACKAGE) / _FOLDER).iterdir():
        content = file.read_bytes()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        kind += "; charset=utf-8" if kind.startswith("text/") else ""
        found[file.name] = (content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_PACKAGE, "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _page(
    name: str,
    context: Context,
    language: str,
    *,
    token: str,
    user: str = "",
    role: Role = Role.VIEWER,
) -> HTMLResponse:
    words = texts()[language]
    values: dict[str, Any] = {
        "page": name,
        "language": language,
        "languages": list(texts()),
        "token": token,
        "user": user,
        "role": role.name.lower(),
        "reviews": role >= Role.REVIEWER,
        "engineer": role >= Role.ENGINEER,
        "station": context.station,
        "no_users": name == "login" and not context.accounts.any(),
        "classes": NEU_CLASSES,
        "t": lambda key: words[key],
    }
    return HTMLResponse(_environment().get_template(f"{name}.html.j2").render(values))
