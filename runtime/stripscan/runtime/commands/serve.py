"""``stripscan serve``: the live page."""

from pathlib import Path
from typing import Annotated

import typer

from stripscan.runtime.station import load_station
from stripscan.terminal.console import messages, results, say
from stripscan.terminal.extras import needs_extra
from stripscan.terminal.logs import configure_logging


def serve(
    station: Annotated[Path, typer.Argument(help="The station file.")],
    log_level: Annotated[
        str | None,
        typer.Option(help="DEBUG, INFO, WARNING or ERROR; WARNING on a terminal, else INFO."),
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="One JSON object a line.")] = False,
) -> None:
    """Serve the live page of a station: what runs, coils, review."""
    usual = "WARNING" if messages.is_terminal else "INFO"
    configure_logging(log_level or usual, as_json=log_json)
    with needs_extra("web", "stripscan serve"):
        from stripscan.runtime.web.serve import serve as serve_page  # noqa: PLC0415 - an optional package
    config = load_station(station)

    def ready(url: str, has_users: bool) -> None:
        results.print(url, soft_wrap=True)
        if not has_users:
            say(
                "there are no users yet, and nobody can log in: add the first with "
                f"'stripscan users add NAME --role engineer --station {station}'"
            )

    serve_page(config, on_ready=ready)
