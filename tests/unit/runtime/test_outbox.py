"""Events are committed with what they tell of, and leave when all sinks have them."""

from pathlib import Path

import pytest

from stripscan.contract.event import StationState
from stripscan.runtime.alarms import AlarmKind
from stripscan.runtime.line_state import LineState
from stripscan.runtime.news import News
from stripscan.runtime.outbox_tables import OutboxTables
from stripscan.runtime.station_events import OutboxSection
from stripscan.runtime.store import Store
from unit.runtime.news_samples import newsroom, waiting
from unit.runtime.store_places import place
from unit.runtime.test_store import COIL

__all__ = ["place"]

READY = StationState(state="ready")


def tell(news: News, *, coil: str | None = None, times: int = 1) -> None:
    with news.transaction():
        for _ in range(times):
            news.tell("station.state", READY, coil=coil)


def numbers(store: Store) -> list[tuple[str | None, int]]:
    return [(event.get("subject"), event["sequence"]) for event in waiting(store)]


def test_record_and_event_are_committed_together_or_not_at_all(place: Path | str) -> None:
    with newsroom(place, "mqtt") as (store, news):
        with pytest.raises(RuntimeError, match="power"), news.transaction():
            store.start_coil(COIL)
            news.tell("station.state", READY, coil=COIL.id)
            news.alert(AlarmKind.CAMERA, "gone")
            raise RuntimeError("power")
        assert (store.coils(), waiting(store), dict(news.alarms.open)) == ((), [], {})
        with news.transaction():
            store.start_coil(COIL)
            news.tell("station.state", READY, coil=COIL.id)
        assert (len(store.coils()), numbers(store)) == (1, [(COIL.id, 1)])


def test_each_coil_and_the_station_count_on_after_a_restart(place: Path | str) -> None:
    with newsroom(place, "mqtt") as (_, news):
        tell(news, coil="a", times=2)
        tell(news)
        tell(news, coil="b")
    with newsroom(place, "mqtt") as (store, news):
        tell(news, coil="a")
        tell(news)
        assert numbers(store) == [
            *(("a", 1), ("a", 2), (None, 1)),
            *(("b", 1), ("a", 3), (None, 2)),
        ]
        assert len({event["id"] for event in waiting(store)}) == 6


def test_an_event_leaves_when_the_last_sink_has_it(place: Path | str) -> None:
    with newsroom(place, "mqtt", "webhook") as (store, news):
        tell(news, coil="a", times=3)
        positions = [row.position for row in OutboxTables(store.backend).after(0, 9)]
        news.outbox.delivered("mqtt", positions[2])
        news.outbox.delivered("webhook", positions[0])
        news.close()
        assert numbers(store) == [("a", 2), ("a", 3)]
        news.outbox.delivered("webhook", positions[1])
    with newsroom(place, "mqtt", "webhook") as (store, news):
        assert news.outbox.cursor("webhook") == positions[0], "what was not written is sent again"
        assert numbers(store) == [("a", 2), ("a", 3)]
        news.outbox.delivered("webhook", positions[2])
        tell(news, coil="a")
        assert numbers(store) == [("a", 4)]
        news.outbox.delivered("mqtt", positions[2] + 1)
        news.outbox.delivered("webhook", positions[2] + 1)
        news.close()
        assert (waiting(store), news.outbox.waiting_bytes) == ([], 0)
        tell(news)
        (row,) = OutboxTables(store.backend).after(positions[2] + 1, 9)
        assert row.position == positions[2] + 2, "positions never come again"


def test_a_new_sink_begins_now_and_one_that_is_gone_holds_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "line.sqlite"
    with newsroom(place) as (store, news):
        tell(news)
        assert waiting(store) == [], "nobody wants them"
    with newsroom(place, "mqtt") as (store, news):
        tell(news, times=2)
    with newsroom(place, "webhook") as (store, news):
        (gone,) = [r for r in caplog.records if r.message == "a sink is gone"]
        assert gone.undelivered == 2  # type: ignore[attr-defined]
        start = news.outbox.cursor("webhook")
        tell(news)
        assert [event["sequence"] for event in waiting(store, start)] == [4 - 1]
    with newsroom(place) as (store, news):
        assert waiting(store) == [], "nobody will ever get them"


def test_what_a_sink_will_never_take_is_kept_aside_and_alarms(place: Path | str) -> None:
    with newsroom(place, "webhook") as (store, news):
        tell(news, coil="a", times=2)
        first = OutboxTables(store.backend).after(0, 1)[0]
        news.outbox.park("webhook", first.position, "mes answers 422")
        news.outbox.delivered("webhook", first.position)
        news.close()
        ((sink, text, reason),) = OutboxTables(store.backend).parked()
        assert (sink, text, reason) == ("webhook", first.text, "mes answers 422")
        assert "mes answers 422" in news.alarms.open[AlarmKind.DELIVERY].reason
        assert [e["type"] for e in waiting(store)][-1] == "stripscan.alarm.raised"


def test_too_much_undelivered_alarms_and_nothing_is_lost(tmp_path: Path) -> None:
    with Store.open(tmp_path / "line.sqlite") as store:
        news = News(store, "line 1", sinks=["mqtt"], outbox=OutboxSection(quota_mb=0.01))
        tell(news, times=40)
        news.turn(LineState.READY)
        assert "quota_mb = 0.01" in news.alarms.open[AlarmKind.DELIVERY].reason
        tell(news, times=40)
        assert len(waiting(store)) == 82
        news.outbox.delivered("mqtt", 10**6)
        news.close()
        news.turn(LineState.READY)
        assert news.alarms.open[AlarmKind.DELIVERY].cleared_at is not None
