"""``stripscan store``: copies coils to another store, and removes old ones."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

import typer

from stripscan.contract.errors import ConfigError
from stripscan.runtime.store import Store
from stripscan.runtime.store_copy import copy_coil, not_copied
from stripscan.runtime.store_postgresql import store_url
from stripscan.runtime.store_retention import Keep, Pruner
from stripscan.runtime.store_schema import SCHEMA_VERSION
from stripscan.terminal.console import results, say

store = typer.Typer(no_args_is_help=True, help="Copy stored coils, and remove old ones.")

_Place = Annotated[str, typer.Argument(help="The store: a file, or a PostgreSQL URL.")]


@store.command()
def copy(
    source: _Place,
    target: _Place,
    coils: Annotated[
        list[str] | None,
        typer.Argument(help="The coils; all that have ended if none.", show_default=False),
    ] = None,
) -> None:
    """Copy coils into another store; those that are there already are left as they are."""
    with (
        Store.open(source, exclusive=False) as mine,
        Store.open(target, exclusive="://" not in target) as theirs,
    ):
        chosen = coils or [coil.id for coil in mine.coils() if coil.status != "running"]
        copied = [coil for coil in dict.fromkeys(chosen) if copy_coil(mine, theirs, coil)]
        for coil in copied:
            results.print(coil)
        say(f"{len(copied)} coils copied to {theirs.name}, {len(chosen) - len(copied)} were there")


@store.command()
def prune(
    place: _Place,
    keep_days: Annotated[
        float | None, typer.Option(min=0, help="Remove coils that ended longer ago, in days.")
    ] = None,
    keep_gb: Annotated[
        float | None, typer.Option(min=0, help="Remove until the file is no larger, in GB.")
    ] = None,
    copied_to: Annotated[
        str | None, typer.Option(help="Remove only what was copied to this store.")
    ] = None,
) -> None:
    """Remove old coils; above a size pictures go first, then masks, then coils."""
    if keep_days is None and keep_gb is None:
        raise ConfigError("say what is to be kept: --keep-days, --keep-gb, or both")
    with Store.open(place, exclusive=False) as opened:
        keep = Keep(days=keep_days, gb=keep_gb)
        done = Pruner(opened, keep, protected=_protected(opened, copied_to)).run()
    for coil in done.coils:
        results.print(coil)
    say(
        f"{len(done.coils)} coils removed, {len(done.pictures)} lost pictures and "
        f"{len(done.masks)} masks; {done.freed_gb:.3g} GB given back"
    )
    if done.above_gb:
        say(f"still {done.above_gb:.3g} GB too large: nothing more may be removed")


def _protected(opened: Store, copied_to: str | None) -> Callable[[], Collection[str]]:
    if copied_to is None:
        return tuple
    name = store_url(copied_to).render_as_string() if "://" in copied_to else str(Path(copied_to))
    return lambda: not_copied(opened, name)


@store.command()
def upgrade(place: _Place) -> None:
    """Bring the tables of a store to this version, e.g. before programs that only read open it."""
    with Store.open(place) as opened:
        say(f"{opened.name} has version {SCHEMA_VERSION}")
