"""``stripscan coil``: tells a running station by hand what Level 2 would tell it."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from stripscan.contract.errors import CommandError, ConfigError, MissingPartError
from stripscan.runtime.control.server import read_token
from stripscan.runtime.station_control import DEFAULT_ADDRESS
from stripscan.terminal.console import results

_TIMEOUT_S: Final = 10.0

At = Annotated[str, typer.Option(help="Where the station listens.")]
Token = Annotated[Path | None, typer.Option(help="File with the token that it asks for.")]
_AT: Final = f"http://{DEFAULT_ADDRESS}"

coil = typer.Typer(help="Start and end coils on a running station.", no_args_is_help=True)


@coil.command()
def start(
    id: Annotated[str, typer.Argument(help="Name of the coil.")],
    length_m: Annotated[float | None, typer.Option(help="Planned length in m.")] = None,
    width_mm: Annotated[float | None, typer.Option(help="Planned width in mm.")] = None,
    at: At = _AT,
    token_file: Token = None,
) -> None:
    """Start a coil now; the one that runs ends at the same line."""
    given = {"id": id, "length_m": length_m, "width_mm": width_mm}
    body = {name: value for name, value in given.items() if value is not None}
    answer = _ask(f"{at}/coils", token_file, body)
    ended = f"; {answer['ended']} ends" if answer["ended"] else ""
    results.print(f"{answer['coil']} starts{ended}", soft_wrap=True, markup=False)


@coil.command()
def end(at: At = _AT, token_file: Token = None) -> None:
    """End the coil that runs."""
    answer = _ask(f"{at}/coils/end", token_file, {})
    results.print(f"{answer['ended']} ends", soft_wrap=True, markup=False)


@coil.command()
def status(at: At = _AT, token_file: Token = None) -> None:
    """Show what a station is doing, as JSON."""
    answer = _ask(f"{at}/status", token_file, None)
    results.print(json.dumps(answer, indent=2), soft_wrap=True, markup=False)


def _ask(url: str, token_file: Path | None, body: Mapping[str, object] | None) -> dict[str, Any]:
    """Return what a station answers.

    Raises:
        CommandError: It refuses.
        MissingPartError: Nobody answers.
        ConfigError: This is no address of a station.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"--at {url}: it must begin with http:// or https://")
    headers = {"Content-Type": "application/json"}
    if token := read_token(token_file):
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - checked above
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the same
            return _content(answer.read(), url)
    except urllib.error.HTTPError as error:
        raise CommandError(str(_content(error.read(), url).get("error", error))) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise MissingPartError(
            f"no station answers at {url}: {reason}. Start it with 'stripscan run', or say where "
            "it listens with --at"
        ) from error


def _content(body: bytes, url: str) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ConfigError(f"what answers at {url} is no station: check --at")
    return content
