"""Rules over stored coils: what would change, what is written, and what never is."""

import dataclasses
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from stripscan.contract.errors import ConfigError, StoreError
from stripscan.runtime.commands.regrade import regrade
from stripscan.runtime.store import Store
from unit.runtime.rules_samples import COIL, a_defect, an_interval, write_rules

LONG = (
    '[[severity]]\nname = "long"\nclasses = ["scratches"]\nmin_length_mm = 200\n'
    'severity = "critical"\n'
    '[[grade]]\nname = "critical"\nseverities = ["critical"]\nmin_count = 1\ngrade = "hold"\n'
)


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """Return a store with two coils, one of them with a hole, and one that has not ended."""
    path = tmp_path / "line.db"
    with Store.open(path) as store:
        for name in ("c1", "c2", "c3"):
            status = "running" if name == "c3" else "complete"
            store.start_coil(dataclasses.replace(COIL, id=name, status=status))
            end_m = 90 if name == "c2" else 100
            store.put_coverage(name, an_interval(0, end_m))
            store.put_defect(a_defect(1, coil=name))
            store.put_defect(a_defect(2, coil=name, length_mm=20.0))
    return path


def digest(store: Path) -> str:
    connection = sqlite3.connect(store)
    text = "\n".join(connection.iterdump())
    connection.close()
    return hashlib.sha256(text.encode()).hexdigest()


def command(line: Path, *arguments: object) -> Result:
    app = Typer()
    app.command()(regrade)
    given = [*map(str, arguments), "--store", str(line)]
    return CliRunner().invoke(app, given, env={"COLUMNS": "200"})


def test_without_write_nothing_changes_and_with_it_all_does(line: Path, tmp_path: Path) -> None:
    write_rules(tmp_path, LONG)
    before = digest(line)
    options = ("--all", "--rules", tmp_path / "rules.toml", "--json", tmp_path / "c.json")
    look = command(line, *options)
    assert look.exit_code == 0
    assert digest(line) == before
    document = json.loads((tmp_path / "c.json").read_text())
    assert (document["written"], document["rules"]["version"]) == (False, "2026-03")
    told = {c["coil"]: c for c in document["coils"]}
    assert sorted(told) == ["c1", "c2"]
    assert (told["c1"]["grade_before"], told["c1"]["grade"]) == (None, "hold")
    assert told["c1"]["changes"] == [
        {
            "number": 1,
            "class_name": "scratches",
            "severity_before": "minor",
            "severity": "critical",
            "rule": "long",
            "why": "scratches, 250 mm long",
        }
    ]

    assert command(line, *options, "--write").exit_code == 0
    with Store.open(line, readonly=True) as store:
        assert [d.severity for d in store.defects("c1")] == ["critical", "minor"]
        assert [g.grade for g in store.gradings("c1")] == ["hold"]
        assert store.gradings("c3") == ()
    written = digest(line)
    assert command(line, *options, "--write").exit_code == 0
    assert digest(line) == written  # the same rules again are no news


def test_an_earlier_grade_is_kept_and_the_change_is_told(line: Path, tmp_path: Path) -> None:
    write_rules(tmp_path, LONG)
    command(line, "c1", "--rules", tmp_path / "rules.toml", "--write")
    shown = command(line, "c1", "--write").stdout
    assert "hold → accept" in shown
    assert "1 scratches: critical → minor" in shown
    with Store.open(line, readonly=True) as store:
        assert [g.grade for g in store.gradings("c1")] == ["accept", "hold"]
        assert {d.severity for d in store.defects("c1")} == {"minor"}


def test_metres_without_a_record_hold_a_coil(line: Path) -> None:
    assert "10 m of 100 m were not inspected" in command(line, "c2").stdout


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((), ConfigError, "name the coils, 'latest', or --all"),
        (("c1", "--all"), ConfigError, "name the coils, 'latest', or --all"),
        (("c9",), StoreError, "coil c9 is not in"),
        (("c3",), StoreError, "coil c3 has not ended"),
        (("c1", "--rules", "gone.toml"), ConfigError, "gone.toml: cannot read the rules file"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    line: Path, arguments: tuple[str, ...], error: type[Exception], said: str
) -> None:
    refused = command(line, *arguments)
    assert isinstance(refused.exception, error)
    assert said in str(refused.exception)


def test_a_store_that_a_station_writes_to_can_be_looked_at_and_not_regraded(line: Path) -> None:
    with Store.open(line):
        assert command(line, "c1").exit_code == 0
        refused = command(line, "c1", "--write")
    assert "written to by another stripscan" in str(refused.exception)
