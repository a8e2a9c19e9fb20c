"""A running station over HTTP: what it takes, what it refuses, and what it tells of itself."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from stripscan.cli.main import app
from stripscan.runtime.control.desk import Desk
from stripscan.runtime.control.metrics import Metrics
from stripscan.runtime.control.server import ControlServer
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.station_control import parse_address
from stripscan.runtime.supervision import Supervisor
from unit.runtime.line_samples import LINES, Tape, open_book, run, spotted

WORD = "0123456789abcdef"


def serving(
    book: OrderBook, supervisor: Supervisor | None = None, *, token: str | None = None
) -> ControlServer:
    supervisor = supervisor or Supervisor()
    metrics = Metrics("line 1", supervisor=supervisor, store=Path("line.sqlite"))
    desk = Desk("line 1", supervisor=supervisor, orders=book, metrics=metrics, token=token)
    return ControlServer(parse_address("127.0.0.1:0"), desk)


def ask(
    server: ControlServer, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    given = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection.request(method, path, body=body, headers=given)
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "reason"),
    [
        ("/coils", b"{", {}, 400, "Invalid JSON"),
        ("/coils", b"[]", {}, 400, "an object"),
        ("/coils", b"{}", {}, 400, "id: Field required"),
        ("/coils", b'{"id": " "}', {}, 400, "letters that can be shown"),
        ("/coils", b'{"id": "a", "len": 1}', {}, 400, "len is not known; it may be id, length_m"),
        ("/coils", b'{"id": "a", "length_m": NaN}', {}, 400, "length_m: Input should be a finite"),
        ("/coils", b'{"id": "a", "width_mm": "9"}', {}, 400, "width_mm: Input should be a valid"),
        ("/coils", b'{"id": "old"}', {}, 409, "coil old is already in the store"),
        ("/coils", b" " * 5000, {}, 413, "more than 4096 bytes"),
        ("/coils", b"{}", {"Content_Type": "text/plain"}, 415, "application/json"),
        ("/coils/end", b"{}", {}, 409, "no coil is running"),
        ("/coils/end", b'{"id": "a"}', {}, 400, "send {}"),
        ("/coil", b"{}", {}, 404, "there is no /coil, but /coils"),
        ("/status", b"{}", {}, 405, "/status is for GET"),
    ],
)
def test_commands_are_refused_with_a_reason(
    path: str, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    book = OrderBook("")
    book.open(["old"])
    with serving(book) as server:
        answered, said = ask(server, "POST", path, body, **headers)
    assert (answered, list(json.loads(said))) == (status, ["error"])
    assert reason in json.loads(said)["error"]
    assert book.take() == []


def test_whoever_lacks_the_token_is_refused() -> None:
    book = open_book()
    with serving(book, token=WORD) as server:
        assert ask(server, "POST", "/coils", b'{"id": "a"}')[0] == 401
        assert ask(server, "GET", "/status", Authorization="Bearer no")[0] == 401
        assert book.take() == []
        told = ask(server, "POST", "/coils", b'{"id": "a"}', Authorization=f"Bearer {WORD}")
    assert told == (202, '{"coil": "a", "ended": null}\n')


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8620", 200),
        ("127.0.0.1", 200),
        ("127.1.2.3:80", 200),
        ("[::1]:8620", 200),
        ("LOCALHOST", 200),
        ("rebound.example:8620", 421),
        ("127.0.0.1.example", 421),
        ("localhost@rebound.example", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_a_page_whose_name_leads_here_by_now_is_refused(host: str, status: int) -> None:
    with serving(open_book()) as server:
        assert ask(server, "GET", "/status", Host=host)[0] == status
    with serving(open_book(), token=WORD) as server:
        trusted = {"Authorization": f"Bearer {WORD}"}
        assert ask(server, "GET", "/status", Host=host, **trusted)[0] == 200


class Stage:
    """A line in a thread of its own; its tape waits for the test at some blocks."""

    def __init__(self, path: Path, waits: int) -> None:
        self.book, self.supervisor = open_book(), Supervisor()
        self._gates = [threading.Event() for _ in range(waits)]
        during = {3 * n + 2: [gate.wait] for n, gate in enumerate(self._gates)}
        tape = Tape(spotted(3 * (waits + 1) * LINES), during=during)
        self._thread = threading.Thread(
            target=run, args=(path, tape), kwargs={"book": self.book, "supervisor": self.supervisor}
        )

    def __enter__(self) -> "Stage":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for gate in self._gates:
            gate.set()
        self._thread.join()

    def on(self, number: int) -> None:
        self._gates[number].set()


def until(happens: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < limit_s
        time.sleep(0.01)


def test_coils_are_started_and_ended_by_hand(tmp_path: Path) -> None:
    def coil(*args: str) -> str:
        done = CliRunner().invoke(app, ["coil", *args, "--at", server.url])
        assert done.exit_code == 0, done.output
        return done.stdout

    with (
        Stage(tmp_path / "line.sqlite", waits=2) as stage,
        serving(stage.book, stage.supervisor) as server,
    ):
        until(lambda: stage.supervisor.figures.blocks == 2)
        assert coil("start", "C-1", "--length-m", "800") == "C-1 starts\n"
        stage.on(0)
        until(lambda: stage.supervisor.coil is not None)
        until(lambda: stage.supervisor.figures.blocks == 5)
        told = json.loads(coil("status"))
        assert (told["state"], told["coil"]["id"]) == ("inspecting", "C-1")
        assert told["coil"]["planned_length_m"] == 800
        assert told["lines_without_coil"] > 0
        assert coil("start", "C-2") == "C-2 starts; C-1 ends\n"
        assert coil("end") == "C-2 ends\n"
        stage.on(1)
        until(lambda: stage.supervisor.coil is None)
        refused = CliRunner().invoke(app, ["coil", "start", "C-1", "--at", server.url])
        assert "coil C-1 is already in the store" in str(refused.exception)
    gone = CliRunner().invoke(app, ["coil", "status", "--at", server.url])
    assert "no station answers at" in str(gone.exception)
