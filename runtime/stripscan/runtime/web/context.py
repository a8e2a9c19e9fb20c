"""What the routes share."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request

from stripscan.runtime.web.accounts import Accounts, Identity
from stripscan.runtime.web.database import WebDatabase
from stripscan.runtime.web.limits import LoginLimit
from stripscan.runtime.web.live import Hub
from stripscan.runtime.web.reading import Reader
from stripscan.runtime.web.reviews import Reviews
from stripscan.runtime.web.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What one page is made of.

    Attributes:
        station: Name of the station.
        database: What the page itself keeps.
        accounts: Who is known.
        reviews: What people said.
        reader: The store.
        hub: What is live.
        limit: Who may try to log in.
        cookie: Name of the session's cookie.
        encrypted: Whether browsers speak TLS.
    """

    station: str
    database: WebDatabase
    accounts: Accounts
    reviews: Reviews
    reader: Reader
    hub: Hub
    limit: LoginLimit
    cookie: str
    encrypted: bool


def context_of(request: Request) -> Context:
    """Return what the page of a request is made of."""
    context: Context = request.app.state.context
    return context


def identity_of(request: Request) -> Identity:
    """Return who asks; the gate lets nobody else through."""
    identity: Identity | None = request.state.identity
    if identity is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "log in first")
    return identity


def needs(role: Role) -> Any:
    """Return the dependency of a route that asks for a role."""

    def check(identity: Annotated[Identity, Depends(identity_of)]) -> Identity:
        if identity.role < role:
            raise HTTPException(
                HTTPStatus.FORBIDDEN,
                f"this is for the role {role.name.lower()}; {identity.user} is "
                f"{identity.role.name.lower()}",
            )
        return identity

    return Depends(check)


def address_of(request: Request) -> str:
    """Return the address of the machine that asks."""
    return request.client.host if request.client else ""


With = Annotated[Context, Depends(context_of)]
Asker = Annotated[Identity, Depends(identity_of)]
