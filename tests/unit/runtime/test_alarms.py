"""An alarm stays until its cause is over and somebody has acknowledged what he saw."""

from pathlib import Path

from stripscan.runtime.alarm_table import AlarmTable
from stripscan.runtime.alarms import AlarmKind
from stripscan.runtime.line_state import LineState
from stripscan.runtime.news import News
from unit.runtime.news_samples import newsroom, waiting
from unit.runtime.store_places import place

__all__ = ["place"]

ROLL = AlarmKind.ROLL_REPEAT


def alert(news: News, kind: AlarmKind = ROLL, *, cause: str = "") -> None:
    with news.transaction():
        news.alert(kind, f"because of {cause or 'it'}", cause=cause)


def calm(news: News, cause: str) -> None:
    with news.transaction():
        news.calm(ROLL, cause=cause)


def acknowledge(news: News, kind: AlarmKind = ROLL) -> int:
    asked = news.alarms.acknowledge([kind], by="plc")
    news.turn(LineState.READY)
    return asked


def state(news: News, kind: AlarmKind = ROLL) -> tuple[int, int, bool, bool] | None:
    """Return number, count, whether its cause lasts, whether it was acknowledged."""
    found = news.alarms.open.get(kind)
    if found is None:
        return None
    return found.number, found.count, found.cleared_at is None, found.acknowledged_at is not None


def test_what_has_happened_is_latched_until_it_is_acknowledged(place: Path | str) -> None:
    with newsroom(place, "mqtt") as (store, news):
        alert(news)
        alert(news)
        assert state(news) == (1, 2, False, False)
        assert acknowledge(news) == 1
        assert state(news) is None
        assert acknowledge(news) == 0
        alert(news)
        assert state(news) == (2, 1, False, False)
        told = [(e["type"].rpartition(".")[2], e["data"].get("number")) for e in waiting(store)]
        assert told == [("raised", 1), ("state", None), ("acknowledged", 1), ("raised", 2)]
        records = AlarmTable(store.backend).newest(9)
        assert [(r.number, r.acknowledged_by) for r in records] == [(2, None), (1, "plc")]


def test_a_lasting_cause_holds_an_acknowledged_alarm_and_a_second_one_raises_it_anew(
    place: Path | str,
) -> None:
    with newsroom(place, "mqtt") as (store, news):
        alert(news, cause="F7")
        assert acknowledge(news) == 1
        assert state(news) == (1, 1, True, True)
        alert(news, cause="F7")
        assert state(news) == (1, 2, True, True), "it was seen already"
        alert(news, cause="F6")
        assert state(news) == (2, 1, True, False)
        calm(news, "F7")
        assert state(news) == (2, 1, True, False)
        calm(news, "F6")
        assert state(news) == (2, 1, False, False)
        acknowledge(news)
        assert state(news) is None
        told = [e["type"] for e in waiting(store) if ".alarm." in e["type"]]
        assert [t.rpartition(".")[2] for t in told] == [
            *("raised", "acknowledged", "cleared", "raised", "cleared", "acknowledged"),
        ]


def test_nobody_acknowledges_what_came_after_he_looked(tmp_path: Path) -> None:
    with newsroom(tmp_path / "line.sqlite") as (_, news):
        alert(news)
        news.alarms.acknowledge([ROLL], by="plc")
        alert(news)
        news.turn(LineState.READY)
        assert state(news) == (1, 2, False, False)
        acknowledge(news)
        assert state(news) is None


def test_alarms_outlive_the_process_and_their_causes_do_not(place: Path | str) -> None:
    with newsroom(place) as (_, news):
        alert(news, cause="F7")
        alert(news, AlarmKind.CAMERA, cause="top")
        acknowledge(news, AlarmKind.CAMERA)
    with newsroom(place) as (_, news):
        assert state(news) == (1, 1, False, False)
        assert state(news, AlarmKind.CAMERA) is None
        alert(news)
        acknowledge(news)
        alert(news)
        assert state(news) == (3, 1, False, False)


def test_trouble_of_the_station_is_an_alarm_while_it_lasts(tmp_path: Path) -> None:
    with newsroom(tmp_path / "line.sqlite", "mqtt") as (store, news):
        news.turn(LineState.READY)
        news.turn(LineState.READY)
        news.turn(LineState.DEGRADED, "bad bundle", trouble="bad bundle")
        news.turn(LineState.DEGRADED, "bad bundle", trouble="bad bundle")
        news.turn(LineState.READY)
        assert state(news, AlarmKind.STATION) == (1, 1, False, False)
        assert [e["type"].removeprefix("stripscan.") for e in waiting(store)] == [
            *("station.state", "station.state", "alarm.raised", "station.state", "alarm.cleared"),
        ]
        news.cameras(2)
        news.cameras(2)
        assert state(news, AlarmKind.CAMERA) == (2, 1, False, False)
