"""What the control room is told of, and how often."""

from pathlib import Path

from stripscan.runtime.store import Store
from stripscan.runtime.web.alarms import Banner
from stripscan.runtime.web.reading import Reader
from unit.runtime.web_samples import put_coil

GOOD = {"state": "inspecting", "reason": ""}
BAD = {"state": "degraded", "reason": "lines were lost in the last 10 s"}


def test_whoever_has_seen_one_outage_has_not_seen_the_next() -> None:
    times = iter(["8:00", "9:00", "10:00"])
    banner = Banner(clock=lambda: next(times))
    (first,) = banner.alarms(None, None, None, {})
    assert (first["kind"], first["level"], first["seen_by"]) == ("unreachable", "critical", "")
    (again,) = banner.alarms(None, None, None, {first["key"]: "eva"})
    assert again["seen_by"] == "eva"
    assert banner.alarms(GOOD, None, None, {}) == []
    (later,) = banner.alarms(None, None, None, {first["key"]: "eva"})
    assert later["seen_by"] == ""
    (degraded,) = banner.alarms(BAD, None, None, {})
    assert degraded["values"] == {"reason": BAD["reason"]}


def test_a_coil_alarms_of_what_is_bad_and_of_what_nobody_saw(tmp_path: Path) -> None:
    with Store.open(tmp_path / "line.db") as store:
        found = put_coil(store, "C-1", defects=12)
    reader = Reader(tmp_path / "line.db")
    view = reader.coil("C-1")
    (worst,) = reader.newest("C-1", 1, severity="critical")
    assert worst == [d for d in found if d.severity == "critical"][-1]
    told = Banner().alarms(GOOD, view, worst, {"hold:C-1": "eva"})
    assert [(a["kind"], a["level"], a["seen_by"]) for a in told] == [
        ("critical", "critical", ""),
        ("hold", "critical", "eva"),
        ("gap", "warning", ""),
    ]
    assert told[0]["values"]["count"] == 2
    assert told[2]["values"] == {"metres": 2.0, "stretches": 1}
