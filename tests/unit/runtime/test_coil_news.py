"""What is told of a coil is what the store says of it."""

from pathlib import Path
from typing import Any

import pytest

from stripscan.contract.defect import DefectPhase
from stripscan.contract.errors import StoreError
from stripscan.contract.event import EVENT
from stripscan.runtime.alarms import AlarmKind
from stripscan.runtime.grading import recover_coils
from stripscan.runtime.rules.load import load_rules
from stripscan.runtime.station_events import AlarmSection
from stripscan.runtime.store import Store
from unit.runtime.line_samples import LINES, Tape, spotted
from unit.runtime.news_samples import newsroom, play, waiting
from unit.runtime.test_store import COIL, a_defect

Event = dict[str, Any]


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [e["data"] for e in events if e["type"].startswith(f"stripscan.{kind}")]


def test_a_receiver_of_all_events_knows_the_coil_as_the_store_does(tmp_path: Path) -> None:
    with newsroom(tmp_path / "line.sqlite", "mqtt") as (store, news):
        play(store, news, Tape(spotted(12 * LINES), missing=[5]), coil="C1")
        events = [e for e in waiting(store) if e.get("subject") == "C1"]
        kept, record, gradings = store.defects("C1"), store.coil("C1"), store.gradings("C1")
        coverage = store.coverage("C1")
    for event in events:
        EVENT.validate_python(event)
    kinds = [e["type"].removeprefix("stripscan.") for e in events]
    assert kinds[0] == "coil.started"
    assert kinds.index("coil.ended") < kinds.index("coil.graded")
    known: dict[int, Event] = {}
    for event in events:
        data = event["data"]
        if event["type"] == "stripscan.defect.merged":
            del known[data["number"]]
        elif event["type"].startswith("stripscan.defect."):
            known[data["number"]] = data
    assert sorted(known) == [d.number for d in kept]
    for defect in kept:
        told = known[defect.number]
        assert (told["class_name"], told["severity"]) == (defect.class_name, defect.severity)
        assert told["along_end_m"] == pytest.approx(defect.along_end_m, abs=1e-4)
        assert told["area_mm2"] == pytest.approx(defect.area_mm2, abs=0.06)
    (ended,) = of_kind(events, "coil.ended")
    assert (ended["status"], ended["defects"]) == ("complete", len(kept))
    assert ended["length_m"] == pytest.approx(record.length_m, abs=1e-4)
    for status, metres in ended["coverage_m"].items():
        stored = sum(i.length_m for i in coverage if str(i.status) == status)
        assert metres == pytest.approx(stored, abs=1e-3), status
    assert ended["coverage_m"]["dropped"] + ended["coverage_m"]["unknown"] > 0
    gaps = [(g["first_line"], g["status"]) for g in of_kind(events, "coverage-gap.end")]
    bad = [(i.lines.start, str(i.status)) for i in coverage if str(i.status) != "inspected"]
    assert gaps == bad
    (graded,) = of_kind(events, "coil.graded")
    assert (graded["grade"], graded["rules_sha256"]) == (
        gradings[0].grade,
        gradings[0].rules_sha256,
    )


def test_a_long_scratch_is_told_whenever_it_has_doubled(tmp_path: Path) -> None:
    with newsroom(tmp_path / "line.sqlite", "mqtt") as (store, news):
        play(store, news, Tape(spotted(40 * LINES)), coil="C1")
        longest = max(store.defects("C1"), key=lambda d: d.length_mm)
        told = [d for d in of_kind(waiting(store), "defect") if d.get("number") == longest.number]
    lengths = [d["length_mm"] for d in told]
    assert lengths == sorted(lengths)
    assert 4 <= len(lengths) <= 9, "not at each of its bands"


def test_metal_that_nobody_inspected_and_bad_defects_alarm(tmp_path: Path) -> None:
    alarm = AlarmSection(severities=("minor", "major", "critical"), not_inspected_m=0.001)
    with newsroom(tmp_path / "line.sqlite", "mqtt", alarm=alarm) as (store, news):
        play(store, news, Tape(spotted(8 * LINES), missing=[3]), coil="C1")
        assert "were not inspected" in news.alarms.open[AlarmKind.NOT_INSPECTED].reason
        assert news.alarms.open[AlarmKind.NOT_INSPECTED].cleared_at is not None
        assert news.alarms.open[AlarmKind.DEFECT].coil == "C1"


def test_a_coil_that_a_crash_cut_off_is_told_as_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "line.sqlite"
    with Store.open(path) as store:
        store.start_coil(COIL)
        store.put_defect(a_defect(1, phase=DefectPhase.END))
    with newsroom(path, "mqtt") as (store, news):
        recover_coils(store, load_rules(None), news)
        events = waiting(store)
        assert [e["type"] for e in events][:2] == [
            *("stripscan.coil.ended", "stripscan.coil.graded"),
        ]
        assert events[0]["data"]["status"] == "interrupted"
        assert events[0]["data"]["defects"] == 1
        assert {e["subject"] for e in events} == {COIL.id}


def test_a_band_that_could_not_be_stored_is_not_told_as_inspected(tmp_path: Path) -> None:
    """The store refuses a defect in the middle of the coil, as a full disk would."""
    with newsroom(tmp_path / "line.sqlite", "mqtt") as (store, news):
        store.backend.connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON coverage WHEN NEW.first_line > 200 "
            "AND NEW.status = 'inspected' BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        tape = Tape(spotted(8 * LINES), missing=[3])
        with pytest.raises(StoreError, match="disk full"):
            play(store, news, tape, coil="C1")
        events, coverage = waiting(store), store.coverage("C1")
        record, kept = store.coil("C1"), store.defects("C1")
    (ended,) = of_kind(events, "coil.ended")
    assert ended["status"] == "failed"
    assert ended["defects"] == len(kept)
    assert sum(ended["coverage_m"].values()) == pytest.approx(record.length_m, abs=1e-3)
    inspected = sum(i.length_m for i in coverage if str(i.status) == "inspected")
    assert ended["coverage_m"]["inspected"] == pytest.approx(inspected, abs=1e-4)
    gaps = [(g["first_line"], g["status"]) for g in of_kind(events, "coverage-gap.end")]
    assert gaps == [
        (i.lines.start, str(i.status)) for i in coverage if str(i.status) != "inspected"
    ]
    assert len(of_kind(events, "coverage-gap.new")) == len(gaps)
