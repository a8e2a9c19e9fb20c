"""A sink has a thread of its own: it fails, hangs and refuses without a harm to the line."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from integration.runtime.mqtt_peer import until
from stripscan.contract.event import StationState
from stripscan.runtime.alarms import AlarmKind
from stripscan.runtime.news import News
from stripscan.runtime.outbox_tables import OutboxTables, Row
from stripscan.runtime.sinks.base import Refused, SinkError
from stripscan.runtime.sinks.runner import SinkRunner
from stripscan.runtime.telling import reading
from unit.runtime.news_samples import newsroom, waiting


class Ledger:
    """A receiver that writes down what it gets, and does what it is told before it takes it."""

    name = "ledger"
    window = 3

    def __init__(self, before: Callable[[Row], None] = lambda _: None) -> None:
        self.rows: list[Row] = []
        self._before = before

    def open(self) -> None:
        pass

    def send(self, rows: Sequence[Row], delivered: Callable[[int], None]) -> None:
        for row in rows:
            self._before(row)
            self.rows.append(row)
            delivered(row.position)

    def idle(self) -> None:
        pass

    def close(self) -> None:
        pass


def tell(news: News, times: int) -> None:
    for _ in range(times):
        with news.transaction():
            news.tell("station.state", StationState(state="ready"), coil="a")


@contextmanager
def running(news: News, path: Path, sink: Ledger, grace_s: float = 1.0) -> Iterator[SinkRunner]:
    with SinkRunner(
        sink, outbox=news.outbox, bell=news.bell, reading=reading(path), grace_s=grace_s
    ) as runner:
        yield runner


def test_a_sink_that_hangs_holds_nothing_up_and_is_left_behind(tmp_path: Path) -> None:
    path, go = tmp_path / "line.sqlite", threading.Event()
    stuck = Ledger(lambda _: go.wait() and None)
    with newsroom(path, "ledger") as (store, news):
        with running(news, path, stuck, grace_s=0.1):
            tell(news, 50)
            assert len(waiting(store)) == 50
        news.close()
        go.set()
    with newsroom(path, "ledger") as (store, news):
        sink = Ledger()
        with running(news, path, sink):
            until(lambda: len(sink.rows) == 50)
        news.close()
        assert waiting(store) == []


def test_after_a_failure_it_goes_on_where_it_was(tmp_path: Path) -> None:
    path, failures = tmp_path / "line.sqlite", iter(range(2))

    def fail(row: Row) -> None:
        if row.position == 5 and next(failures, None) is not None:
            raise SinkError("the receiver is away")

    sink = Ledger(fail)
    with newsroom(path, "ledger") as (_, news), running(news, path, sink) as runner:
        tell(news, 9)
        until(lambda: runner.trouble == "the receiver is away")
        until(lambda: len(sink.rows) == 9)
        assert [row.position for row in sink.rows] == list(range(1, 10))
        until(lambda: runner.trouble == "")


def test_what_is_refused_for_good_lets_the_rest_pass_and_alarms(tmp_path: Path) -> None:
    path = tmp_path / "line.sqlite"

    def refuse(row: Row) -> None:
        if row.position == 2:
            raise Refused(2, "no such coil")

    sink = Ledger(refuse)
    with newsroom(path, "ledger") as (store, news):
        with running(news, path, sink):
            tell(news, 4)
            until(lambda: news.outbox.cursor("ledger") >= 4)
        news.close()
        assert [row.position for row in sink.rows][:3] == [1, 3, 4]
        ((name, text, reason),) = OutboxTables(store.backend).parked()
        assert (name, reason) == ("ledger", "no such coil")
        assert '"sequence":2' in text
        assert "no such coil" in news.alarms.open[AlarmKind.DELIVERY].reason


def test_a_long_backlog_is_cleared_while_nothing_new_comes(tmp_path: Path) -> None:
    path = tmp_path / "line.sqlite"
    with newsroom(path, "ledger") as (store, news):
        with news.transaction():
            for _ in range(4500):
                news.tell("station.state", StationState(state="ready"))
        news.outbox.delivered("ledger", 4500)
        for _ in range(4):
            assert news.outbox.is_ahead()
            news.close()
        assert not news.outbox.is_ahead()
        assert (waiting(store), news.outbox.waiting_bytes) == ([], 0)
