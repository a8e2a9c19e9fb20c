"""``stripscan report``: what is known of a coil."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stripscan.contract.errors import StoreError
from stripscan.runtime.report.export import write_csv, write_json
from stripscan.runtime.report.html import write_html
from stripscan.runtime.report.model import Report, build_report
from stripscan.runtime.store import Store
from stripscan.terminal.console import results


class Format(StrEnum):
    """What a report is written as."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"


_WRITERS: dict[Format, Callable[[Report, Path], None]] = {
    Format.HTML: write_html,
    Format.JSON: write_json,
    Format.CSV: write_csv,
}


def report(
    coil: Annotated[str, typer.Argument(help="The coil, or 'latest'.")] = "latest",
    store: Annotated[
        str, typer.Option(help="The store: a file, or a PostgreSQL URL.")
    ] = "stripscan.db",
    out: Annotated[
        Path | None, typer.Option(help="The file; the coil's name and the format if none.")
    ] = None,
    kind: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.HTML,
) -> None:
    """Write the map and the defects of a coil as one file."""
    with Store.open(store, readonly=True) as opened:
        if coil == "latest":
            coils = opened.coils()
            if not coils:
                raise StoreError(f"{store}: holds no coil yet; run a station first")
            coil = coils[0].id
        built = build_report(opened, coil)
    path = out or Path(f"{_file_name(coil)}.{kind}")
    _WRITERS[kind](built, path)
    results.print(str(path), soft_wrap=True)


def _file_name(coil: str) -> str:
    """Return a coil's id as a file name, whatever Level 2 calls it."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in coil)
