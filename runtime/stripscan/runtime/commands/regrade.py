"""``stripscan regrade``: what other rules would say of stored coils."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from stripscan.contract.errors import ConfigError, StoreError
from stripscan.contract.files import write_file
from stripscan.runtime.rules.load import DEFAULT_RULES, Rules, load_rules, unknown_classes
from stripscan.runtime.rules.replay import Replay, keep, replay
from stripscan.runtime.rules.tally import SeverityChange
from stripscan.runtime.store import Store
from stripscan.runtime.wall_clock import stamp, utc_now
from stripscan.terminal.console import results, say, warn

JSON_FORMAT: Final = "stripscan-regrade"
JSON_VERSION: Final = 1
"""Raised when a field changes its meaning or goes; a reader must refuse a higher one."""

_ABSENT: Final = "–"


def regrade(
    coils: Annotated[
        list[str] | None, typer.Argument(help="The coils, or 'latest'.", show_default=False)
    ] = None,
    store: Annotated[
        str, typer.Option(help="The store: a file, or a PostgreSQL URL.")
    ] = "stripscan.db",
    rules: Annotated[
        str, typer.Option(help="The rules file; 'default' is the one that comes with stripscan.")
    ] = DEFAULT_RULES,
    every: Annotated[bool, typer.Option("--all", help="All coils of the store.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Store severities and grades; without it only look.")
    ] = False,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="File for every change of every defect.")
    ] = None,
) -> None:
    """Judge stored coils by rules, and show what would change."""
    if bool(coils) == every:
        raise ConfigError("name the coils, 'latest', or --all for every coil of the store")
    read = load_rules(None if rules == DEFAULT_RULES else Path(rules))
    with Store.open(store, readonly=not write) as opened:
        chosen = _chosen(opened, coils or [])
        _warn_of_classes(opened, chosen, read)
        judged = [_regraded(opened, coil, read, write=write) for coil in chosen]
    if as_json is not None:
        text = json.dumps(document(read, judged, written=write), ensure_ascii=False)
        write_file(as_json, f"{text}\n".encode())
    results.print(_table(judged))
    news = sum(replayed.news for replayed in judged)
    done = "stored" if write else "not stored: --write does that"
    say(f"rules {read}: {news} of {len(judged)} coils with another judgement, {done}")


def _chosen(store: Store, named: list[str]) -> list[str]:
    """Return the coils that were asked for, each once; where none is named, all that have ended.

    Raises:
        StoreError: There is no such coil, or it has not ended.
    """
    records = store.coils()
    if not named:
        running = [record.id for record in records if record.status == "running"]
        if running:
            warn(f"left out, as they have not ended: {', '.join(running)}")
        return [record.id for record in records if record.status != "running"]
    if "latest" in named and not records:
        raise StoreError(f"{store.name}: holds no coil yet; run a station first")
    ids = dict.fromkeys(records[0].id if name == "latest" else name for name in named)
    for coil in ids:
        if store.coil(coil).status == "running":
            raise StoreError(f"coil {coil} has not ended: grade it when it has")
    return list(ids)


def _warn_of_classes(store: Store, coils: Iterable[str], rules: Rules) -> None:
    problems = (said for coil in coils for said in unknown_classes(rules, store.coil(coil).classes))
    for said in dict.fromkeys(problems):
        warn(said)


def _regraded(store: Store, coil: str, rules: Rules, *, write: bool) -> Replay:
    if not write:
        with store.snapshot():
            return replay(store, coil, rules)
    with store.transaction():
        judged = replay(store, coil, rules)
        keep(store, judged, graded_at=stamp(utc_now()))
    return judged


def _table(judged: Iterable[Replay]) -> Table:
    table = Table("coil", "grade", "defects", "other severity", "why")
    for replayed in judged:
        before = replayed.before.grade if replayed.before else _ABSENT
        same = before == replayed.grade
        table.add_row(
            Text(replayed.coil),
            before if same else f"{before} → {replayed.grade}",
            str(replayed.defects),
            Text("\n".join(_by_class(replayed.changes)) or _ABSENT),
            Text("\n".join(_reasons(replayed))),
        )
    return table


def _by_class(changes: Iterable[SeverityChange]) -> Iterator[str]:
    """Yield the changes of each class, e.g. ``3 scratches: minor → critical``."""
    counts = Counter((c.defect.class_name, c.before, c.defect.severity) for c in changes)
    for (class_name, before, after), count in sorted(counts.items()):
        yield f"{count} {class_name}: {before} → {after}"


def _reasons(replayed: Replay) -> Iterator[str]:
    for reason in replayed.reasons:
        rule = f"rule '{reason.rule}': " if reason.rule else ""
        yield f"{reason.verdict}: {rule}{reason.text}"


def document(rules: Rules, judged: Iterable[Replay], *, written: bool) -> dict[str, Any]:
    """Return what rules say of coils as JSON values; keys are documented in reference/cli.md."""
    file = rules.file
    return {
        "format": JSON_FORMAT,
        "version": JSON_VERSION,
        "written": written,
        "rules": {"name": file.name, "version": file.version, "sha256": rules.sha256},
        "coils": [
            {
                "coil": replayed.coil,
                "grade_before": replayed.before.grade if replayed.before else None,
                "grade": replayed.grade,
                "reasons": [asdict(reason) for reason in replayed.reasons],
                "defects": replayed.defects,
                "changes": [_change(change) for change in replayed.changes],
            }
            for replayed in judged
        ],
    }


def _change(change: SeverityChange) -> dict[str, Any]:
    return {
        "number": change.defect.number,
        "class_name": change.defect.class_name,
        "severity_before": change.before,
        "severity": change.defect.severity,
        "rule": change.rule,
        "why": change.why,
    }
