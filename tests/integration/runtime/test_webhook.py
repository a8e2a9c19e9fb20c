"""Events to a real HTTP server that fails, refuses and redirects."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from integration.runtime.mqtt_peer import until
from stripscan.contract.event import StationState
from stripscan.runtime.news import News
from stripscan.runtime.outbox_tables import OutboxTables
from stripscan.runtime.sinks.runner import SinkRunner
from stripscan.runtime.sinks.webhook import WebhookSink
from stripscan.runtime.station_events import WebhookSection
from stripscan.runtime.telling import reading
from unit.runtime.news_samples import newsroom

SECRET = "between us"  # noqa: S105 - of the test alone


class Mes(ThreadingHTTPServer):
    """Answers as it is told, then 200; keeps what it took."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.refused: set[int] = set()  # sequences
        self.taken: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: Mes

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        batch = json.loads(body)
        code = self.server.answers.pop(0) if self.server.answers else 200
        if code == 200 and {e["sequence"] for e in batch} & self.server.refused:
            code = 422
        if code == 200:
            self.server.taken += batch
            self.server.headers.append(dict(self.headers))
            digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            assert self.headers["X-Stripscan-Signature-256"] == f"sha256={digest}"
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def mes() -> Iterator[Mes]:
    with Mes() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def tell(news: News, times: int) -> None:
    with news.transaction():
        for _ in range(times):
            news.tell("station.state", StationState(state="ready"), coil="a")


@pytest.fixture
def section(tmp_path: Path) -> WebhookSection:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    return WebhookSection(url="http://127.0.0.1:9/", secret_file=secret, batch=4, timeout_s=2.0)


def test_batches_arrive_signed_in_order_whatever_the_server_answers(
    tmp_path: Path, section: WebhookSection
) -> None:
    path = tmp_path / "line.sqlite"
    with mes() as server, newsroom(path, "webhook") as (store, news):
        server.answers, server.refused = [503, 302, 401], {6}
        url = f"http://127.0.0.1:{server.server_port}/strip"
        sink = WebhookSink(section.model_copy(update={"url": url}))
        runner = SinkRunner(sink, outbox=news.outbox, bell=news.bell, reading=reading(path))
        with runner:
            tell(news, 10)
            until(lambda: "answers" in runner.trouble)
            until(lambda: news.outbox.cursor("webhook") == 10)
        news.close()
        assert [event["sequence"] for event in server.taken] == [1, 2, 3, 4, 5, 7, 8, 9, 10]
        assert server.headers[0]["Content-Type"] == "application/cloudevents-batch+json"
        assert server.asked == 3 + 1 + (1 + 2) + 1, "the batch with the bad one went one by one"
        ((_, text, reason),) = OutboxTables(store.backend).parked()
        assert json.loads(text)["sequence"] == 6
        assert reason.endswith("answers 422")
        assert SECRET not in reason


def test_a_server_that_is_away_is_named_without_the_secret(
    tmp_path: Path, section: WebhookSection
) -> None:
    path = tmp_path / "line.sqlite"
    with newsroom(path, "webhook") as (_, news):
        url = "http://127.0.0.1:9/strip?token=hidden"
        sink = WebhookSink(section.model_copy(update={"url": url}))
        runner = SinkRunner(
            sink, outbox=news.outbox, bell=news.bell, reading=reading(path), grace_s=0.1
        )
        with runner:
            tell(news, 1)
            until(lambda: "127.0.0.1:9 does not answer" in runner.trouble)
        assert SECRET not in runner.trouble
        assert "hidden" not in runner.trouble
