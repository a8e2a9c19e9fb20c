"""What the service manager hears, over a socket such as it opens."""

import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.line_state import LineState
from stripscan.runtime.supervision import Supervisor
from stripscan.runtime.systemd import Notifier
from unit.runtime.line_samples import LINES, Tape, open_book, run, spotted


class Manager:
    """Reads all that is sent to it, as systemd does."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.messages: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while (message := self._socket.recv(4096).decode()) != "CLOSE=1":
            self.messages.put(message)

    def notifier(self, **more: str) -> Notifier:
        return Notifier({"NOTIFY_SOCKET": self.path, **more})

    def heard(self) -> list[str]:
        """Return what was sent since the last call."""
        self.notifier().send(MARK="1")
        return list(iter(lambda: self.messages.get(timeout=10), "MARK=1"))

    def close(self) -> None:
        self.notifier().send(CLOSE="1")
        self._thread.join()
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_a_run_is_told_from_ready_to_stopping(manager: Manager, tmp_path: Path) -> None:
    book, supervisor = open_book(), Supervisor(notifier=manager.notifier(WATCHDOG_USEC="4"))
    during = {1: [lambda: book.start(PlannedCoil(id="a"))], 3: [book.end]}
    tape = Tape(spotted(4 * LINES), during=during)
    run(tmp_path / "line.sqlite", tape, book=book, supervisor=supervisor)
    told = manager.heard()
    assert told.count("WATCHDOG=1") > 4
    assert [message for message in told if message != "WATCHDOG=1"] == [
        "STATUS=warming",
        "READY=1\nSTATUS=ready",
        "STATUS=inspecting",
        "STATUS=ready",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_the_watchdog_is_fed_by_work_alone_and_no_more_than_it_needs(
    manager: Manager,
) -> None:
    supervisor = Supervisor(notifier=manager.notifier(WATCHDOG_USEC="60000000"))
    supervisor.enter(LineState.WARMING)
    supervisor.beat("loading")
    supervisor.enter(LineState.READY)
    assert "WATCHDOG=1" not in manager.heard()
    for _ in range(50):
        supervisor.beat("inspecting")
    assert manager.heard() == ["WATCHDOG=1"]
    other = manager.notifier(WATCHDOG_USEC="60000000", WATCHDOG_PID="1")
    other.feed_watchdog()
    assert manager.heard() == []


def test_a_start_that_takes_long_asks_for_time(manager: Manager) -> None:
    with manager.notifier().starting(every_s=0.001):
        assert {manager.messages.get(timeout=10) for _ in range(3)} == {
            "EXTEND_TIMEOUT_USEC=60000000"
        }
    assert "starting" not in {thread.name for thread in threading.enumerate()}


def test_without_a_manager_nothing_happens(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    Notifier({}).send(READY="1")
    assert caplog.messages == []
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).send(READY="1")
    assert caplog.messages == ["systemd is not told: No such file or directory"]
