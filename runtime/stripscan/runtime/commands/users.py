"""``stripscan users``: who may see the live page."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from stripscan.contract.errors import ConfigError
from stripscan.runtime.station import load_station
from stripscan.runtime.web.roles import Role
from stripscan.terminal.console import results, say
from stripscan.terminal.extras import needs_extra

if TYPE_CHECKING:
    from stripscan.runtime.web.accounts import Accounts

users = typer.Typer(help="Say who may see the live page of a station.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the user.")]
At = Annotated[Path, typer.Option("--station", help="The station file.")]
Label = Annotated[str, typer.Option(help="What the token is for.")]
_STATION = Path("station.toml")


class RoleName(StrEnum):
    """What a user may do; each may do what those before it may."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    ENGINEER = "engineer"


@users.command()
def add(
    name: Name,
    role: Annotated[RoleName, typer.Option(help="What it may do.")] = RoleName.VIEWER,
    station: At = _STATION,
) -> None:
    """Add a user, or change its role and password; asks for the password, or reads a line."""
    accounts = _accounts(station)
    accounts.add(name, Role[role.name], _password())
    accounts.note("user added", f"{name} as {role}")
    say(f"{name} may log in as {role}")


@users.command(name="list")
def list_users(station: At = _STATION) -> None:
    """List users, their roles and tokens."""
    table = Table("user", "role", "added", "tokens")
    for name, role, added_at, labels in _accounts(station).all():
        table.add_row(name, role.name.lower(), added_at, ", ".join(labels))
    results.print(table)


@users.command()
def remove(name: Name, station: At = _STATION) -> None:
    """Remove a user with its sessions and tokens."""
    accounts = _accounts(station)
    accounts.remove(name)
    accounts.note("user removed", name)
    say(f"{name} is removed")


@users.command()
def logout(name: Name, station: At = _STATION) -> None:
    """End all sessions of a user."""
    accounts = _accounts(station)
    accounts.close_sessions(name)
    accounts.note("user logged out", name)
    say(f"{name} is logged out everywhere")


@users.command()
def token(
    name: Name,
    label: Label = "machine",
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the token back.")] = False,
    station: At = _STATION,
) -> None:
    """Make a token for a machine that acts as a user, and print it once."""
    accounts = _accounts(station)
    if revoke:
        accounts.remove_token(name, label)
        accounts.note("token revoked", f"{label} of {name}")
        say(f"the token {label} of {name} is taken back")
    else:
        made = accounts.add_token(name, label)
        accounts.note("token made", f"{label} of {name}")
        results.print(made, soft_wrap=True, markup=False)


def _accounts(station: Path) -> "Accounts":
    with needs_extra("web", "stripscan users"):
        from stripscan.runtime.web.accounts import Accounts  # noqa: PLC0415 - an optional package
        from stripscan.runtime.web.database import WebDatabase  # noqa: PLC0415 - the same
    web = load_station(station).web
    return Accounts(WebDatabase(web.database), session_hours=web.session_hours)


def _password() -> str:
    """Ask for a password twice; where nobody is to be asked, take a line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first: str = typer.prompt("password", hide_input=True, err=True)
    if typer.prompt("once more", hide_input=True, err=True) != first:
        raise ConfigError("these are two passwords: try again")
    return first
