"""Events to a real broker that is killed, cut off and slow, and commands from it."""

import contextlib
import itertools
import json
import logging
import random
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.children import ENVIRONMENT
from integration.runtime.mqtt_peer import (
    Broker,
    Receiver,
    Wire,
    broker,
    certificates,
    until,
)
from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.event import EVENT
from stripscan.runtime.alarms import AlarmKind
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.control.level2 import Level2Desk
from stripscan.runtime.line_state import LineState
from stripscan.runtime.news import News
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.outbox_tables import OutboxTables
from stripscan.runtime.sinks.mqtt import MqttSink
from stripscan.runtime.sinks.runner import SinkRunner
from stripscan.runtime.station_events import MqttSection
from stripscan.runtime.telling import reading
from unit.runtime.line_samples import LINES, Tape, open_book, spotted
from unit.runtime.news_samples import newsroom, play, waiting

pytestmark = pytest.mark.debian("mosquitto")

BASE = "stripscan/line 1"
FAULTS = 100
COILS = 20


@contextlib.contextmanager
def running(
    news: News,
    path: Path,
    port: int,
    *,
    book: OrderBook | None = None,
    grace_s: float = 3.0,
    section: MqttSection | None = None,
) -> Iterator[SinkRunner]:
    desk = Level2Desk(book, news.alarms) if book else None
    sink = MqttSink("line 1", section or MqttSection(address=f"127.0.0.1:{port}"), desk)
    with SinkRunner(
        sink, outbox=news.outbox, bell=news.bell, reading=reading(path), grace_s=grace_s
    ) as runner:
        yield runner


def torment(
    news: News,
    path: Path,
    *,
    wire: Wire,
    real: Broker,
    receiver: Receiver,
    done: threading.Event,
    met: list[int],
) -> None:
    """Cut the wire, end the sink and kill the broker, a few events apart."""
    dice = random.Random(5)  # noqa: S311 - no secret
    while not done.is_set():
        with running(news, path, wire.port, grace_s=0.0):
            begun, few = news.outbox.cursor("mqtt"), dice.randrange(1, 4)
            until(lambda b=begun, f=few: done.is_set() or news.outbox.cursor("mqtt") >= b + f)
            if len(met) in {FAULTS // 3, FAULTS // 2}:
                real.stop(signal.SIGKILL)
                until(lambda: not receiver.connected)
                real.start()
                # What the broker has for a receiver that is away, a second kill takes with it.
                until(lambda: receiver.connected)
            met.append(wire.cut())
        if sum(met) > FAULTS:
            return


def test_through_a_hundred_faults_every_event_arrives_in_order(tmp_path: Path) -> None:
    """The wire is cut and the sink killed at random places; the broker is killed twice."""
    path, book, met = tmp_path / "line.sqlite", open_book(), list[int]()
    starts = [lambda n=n: book.start(PlannedCoil(id=f"C{n}")) for n in range(COILS)]
    tape = Tape(spotted(2 * COILS * LINES), during={2 * n: [s] for n, s in enumerate(starts)})
    with broker(tmp_path) as real, Receiver(real.port) as receiver:
        wire, done = Wire(real.port), threading.Event()
        with newsroom(path, "mqtt") as (store, news):
            tormentor = threading.Thread(
                target=torment,
                args=(news, path),
                kwargs={
                    **{"wire": wire, "real": real, "receiver": receiver},
                    **{"done": done, "met": met},
                },
            )
            tormentor.start()
            try:
                play(store, news, tape, book=book)
                for number in itertools.count():
                    news.turn(LineState.READY, str(number))
                    tormentor.join(0.003)
                    if not tormentor.is_alive():
                        break
            finally:
                done.set()
                tormentor.join()
            with running(news, path, wire.port):
                last = news.outbox.cursor("mqtt") + len(waiting(store, news.outbox.cursor("mqtt")))
                until(lambda: news.outbox.cursor("mqtt") >= last)
            news.close()
            news.turn(LineState.READY)
            told_lengths = {record.id: record.length_m for record in store.coils()}
        with newsroom(path, "mqtt") as (store, news), running(news, path, wire.port):
            left = [e["id"] for e in waiting(store)]
            until(lambda: set(left) <= {e["id"] for e in receiver.events})
        until(lambda: receiver.last(f"{BASE}/available") == "offline")
        wire.close()
    events = receiver.once()
    assert sum(met) > FAULTS
    numbers = defaultdict(list)
    for event in events:
        EVENT.validate_python(event)
        numbers[event.get("subject")].append(event["sequence"])
    assert len(numbers) == COILS + 1
    for coil, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), coil
    assert len(receiver.events) > len(events), "some came twice"
    ends = {e["subject"]: e["data"] for e in events if e["type"] == "stripscan.coil.ended"}
    assert len(ends) == COILS
    for coil, told in ends.items():
        assert told["length_m"] == pytest.approx(told_lengths[coil], abs=1e-4)
        assert sum(told["coverage_m"].values()) == pytest.approx(told["length_m"], abs=1e-3)
        assert set(told["coverage_m"]) == {str(status) for status in CoverageStatus}


def test_what_a_killed_station_has_committed_arrives(tmp_path: Path) -> None:
    path, teller = tmp_path / "line.sqlite", Path(__file__).with_name("killed_teller.py")
    with broker(tmp_path) as real, Receiver(real.port) as receiver:
        for turns in (40, 15):
            command = [sys.executable, teller, path, str(real.port)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
                assert process.stdout is not None
                assert len([process.stdout.readline() for _ in range(turns)]) == turns
                process.kill()
        with newsroom(path, "mqtt") as (store, news), running(news, path, real.port):
            committed = OutboxTables(store.backend).sequence("C1")
            until(lambda: committed in {e["sequence"] for e in receiver.events})
    assert committed >= 3 * 55
    assert [e["sequence"] for e in receiver.once()] == list(range(1, committed + 1))


def test_level_2_gives_orders_over_the_broker(tmp_path: Path) -> None:
    path, book = tmp_path / "line.sqlite", open_book()
    with (
        broker(tmp_path) as real,
        Receiver(real.port) as receiver,
        newsroom(path, "mqtt") as (_, news),
        running(news, path, real.port, book=book),
    ):
        until(lambda: receiver.last(f"{BASE}/available") == "online")
        start, end = f"{BASE}/command/coil/start", f"{BASE}/command/coil/end"
        assert receiver.ask(start, b'{"id": "C1", "length_m": 80.0}') == {
            **{"ok": True, "coil": "C1", "ended": None},
        }
        assert receiver.ask(start, b'{"id": "C2"}')["ended"] == "C1"
        for body, why in [
            (b'{"id": "C2"}', "already in the store"),
            (b'{"id": "C3", "speed": 1}', "speed is not known"),
            (b"\xff\x00{", "JSON"),
            (b"{" * 5000, "more than 4096 bytes"),
        ]:
            answer = receiver.ask(start, body)
            assert not answer["ok"] and why in str(answer["error"]), body[:20]
        old = receiver.ask(end, b"", time="2020-01-01T00:00:00Z")
        assert "set both clocks" in str(old["error"])
        assert "must not be retained" in str(receiver.ask(end, b"", retain=True)["error"])
        assert "coil/start" in str(receiver.ask(f"{BASE}/command/stop", b"")["error"])
        assert receiver.ask(end, b"{}") == {"ok": True, "coil": None, "ended": "C2"}
        orders = [order.coil.id if order.coil else None for order in book.take()]
        assert orders == ["C1", "C2", None]

        with news.transaction():
            news.alert(AlarmKind.CAMERA, "gone")
        asked = receiver.ask(f"{BASE}/command/alarm/acknowledge", b"camera")
        assert asked == {"ok": True, "acknowledged": 1}
        news.turn(LineState.READY)
        assert not news.alarms.open
        until(lambda: receiver.events[-1]["type"] == "stripscan.alarm.acknowledged")
        assert receiver.events[-1]["data"]["acknowledged_by"] == "level 2"


def test_the_broker_says_that_a_lost_station_is_offline(tmp_path: Path) -> None:
    path = tmp_path / "line.sqlite"
    with broker(tmp_path) as real, Receiver(real.port) as receiver:
        wire = Wire(real.port)
        with newsroom(path, "mqtt") as (_, news), running(news, path, wire.port):
            available = f"{BASE}/available"
            until(lambda: receiver.last(available) == "online")
            wire.cut()
            until(lambda: receiver.last(available) == "offline")
            until(lambda: receiver.last(available) == "online")
        until(lambda: receiver.last(available) == "offline")
        with Receiver(real.port, available, "late") as late:
            until(lambda: late.messages)
            assert (late.messages[0].payload, late.messages[0].retain) == (b"offline", True)
        wire.close()


# Paho lets the socket of a handshake that failed go out of sight without closing it.
@pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")
def test_over_tls_with_a_password_that_no_log_shows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["/usr/bin/mosquitto_passwd", "-b", "-c", passwords, "mill", "open sesame"],
        check=True,
        capture_output=True,
    )
    passwords.chmod(0o600)
    ca = certificates(tmp_path)
    settings = (
        *("allow_anonymous false", f"password_file {passwords}"),
        *(f"certfile {tmp_path}/server.crt", f"keyfile {tmp_path}/server.key"),
    )
    path = tmp_path / "line.sqlite"
    with broker(tmp_path, *settings) as real, newsroom(path, "mqtt") as (_, news):
        section = MqttSection(address=f"localhost:{real.port}", username="mill", ca=ca)
        monkeypatch.setenv("STRIPSCAN_MQTT_PASSWORD", "wrong horse")
        with running(news, path, real.port, section=section, grace_s=0.1) as runner:
            until(lambda: runner.trouble)
            assert "Not authorized" in runner.trouble
        monkeypatch.setenv("STRIPSCAN_MQTT_PASSWORD", "open sesame")
        with running(news, path, real.port, section=section):
            news.turn(LineState.READY)
            until(lambda: news.outbox.cursor("mqtt") == 1)
        stranger = section.model_copy(update={"ca": None, "tls": True})
        with running(news, path, real.port, section=stranger, grace_s=0.1) as runner:
            until(lambda: runner.trouble)
            assert "certificate verify failed" in runner.trouble
    assert caplog.records
    said = json.dumps([vars(r) for r in caplog.records], default=str)
    assert "sesame" not in said and "horse" not in said
