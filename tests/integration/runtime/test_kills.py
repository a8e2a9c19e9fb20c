"""SIGKILL at any moment, to any process of a station: what was committed is whole and true."""

import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stripscan.contract.bundle import write_bundle
from stripscan.contract.manifest import InputSpec
from stripscan.runtime.acquisition_link import CHILD
from stripscan.runtime.store import CoilRecord, Store
from unit.contract.bundle_samples import draft

pytest.importorskip("onnx", reason="needs the export extra, to make a model")
pytestmark = pytest.mark.export

from integration.children import ENVIRONMENT
from integration.runtime.killed_station import HALO_PX, MM_PER_LINE, TILE_PX
from integration.runtime.tapes import shared_memory
from unit.runtime.onnx_samples import dark_model

KILLS = 50
DEATHS_ALLOWED = 5  # of acquisition, within a minute


@dataclass
class Life:
    """One daemon, from its start until it is killed."""

    folder: Path
    program: "subprocess.Popen[str]"
    name: str
    coils: int = 0
    kills: int = 0
    acquired: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        print(self.folder, self.address, file=self.program.stdin, flush=True)
        self.process = int(self._said())

    def _said(self) -> str:
        assert self.program.stdout is not None
        return self.program.stdout.readline()

    def ask(self, method: str, path: str, body: object = None) -> int:
        connection = http.client.HTTPConnection(self.address, timeout=20)
        headers = {"Content-Type": "application/json"}
        try:
            connection.request(method, path, body=json.dumps(body), headers=headers)
            return connection.getresponse().status
        except ConnectionRefusedError:
            return 0
        finally:
            connection.close()

    def start_coil(self) -> None:
        self.coils += 1
        assert self.ask("POST", "/coils", {"id": f"{self.name}-{self.coils}"}) == 202

    def acquisition(self) -> int | None:
        """Return the process that acquires, if there is one just now."""
        with suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{self.process}/task").iterdir():
                for child in (task / "children").read_text().split():
                    if CHILD.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                        self.acquired.add(int(child))
                        return int(child)
        return None

    def kill_acquisition(self) -> None:
        if (child := self.acquisition()) is not None:
            os.kill(child, signal.SIGKILL)
            self.kills += 1

    def kill(self) -> None:
        self.acquisition()
        os.kill(self.process, signal.SIGKILL)
        assert int(self._said()) == signal.SIGKILL
        self.kills += 1

    def told(self) -> tuple[str, int, int]:
        """Return what was told last: coil, rows of tiles committed, defects among them."""
        told = self.folder / "told"
        coil, *counts = (told.read_text() if told.exists() else "").split() or ("", 0, 0)
        return (coil, *map(int, counts))


@pytest.fixture
def program() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", "from integration.runtime.killed_station import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        process_group=0,
    ) as started:
        yield started
        os.killpg(started.pid, signal.SIGKILL)  # a station, too, if the test failed


def until(happens: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < limit_s
        time.sleep(0.01)


def test_whatever_is_killed_what_was_committed_is_whole_and_nothing_is_left(
    tmp_path: Path, program: "subprocess.Popen[str]"
) -> None:
    spec = InputSpec(tile_px=64, halo_px=8, mm_per_px=0.5, size_multiple_px=32)
    write_bundle(tmp_path / "bundle", draft(golden=(), input=spec), {"model.onnx": dark_model()})
    shared, chance = shared_memory(), random.Random(5)  # noqa: S311 - moments, no secrets
    kills, seen, number = 0, Seen(), 0
    while kills < KILLS:
        number += 1
        life = Life(tmp_path, program, f"{number}")
        if chance.random() < 0.25:
            time.sleep(chance.uniform(0.0, 1.0))  # it may be warming up
        else:
            live(life, chance, seen)
        life.kill()
        kills += life.kills
        check_what_is_left(life, shared)
        seen.check(tmp_path / "line.sqlite")
        seen.check_told(tmp_path / "line.sqlite", life)
    assert seen.lost_lines > 0  # a kill of acquisition costs lines, and the ledger has them
    assert seen.coils > 20
    assert seen.defects > 200


def live(life: Life, chance: random.Random, seen: "Seen") -> None:
    """Let coil follow coil while acquisition is killed, as often as a station bears it."""
    until(lambda: life.ask("GET", "/readyz") == 200)
    life.start_coil()
    while life.kills < DEATHS_ALLOWED:
        time.sleep(chance.uniform(0.02, 0.4))
        if chance.random() < 0.6:
            life.start_coil()
        life.kill_acquisition()
        seen.check(life.folder / "line.sqlite")
        if chance.random() < 0.5:  # else it is killed again as it starts
            until(lambda: life.acquisition() is not None)
            before = life.told()
            until(lambda before=before: life.told() != before)
    time.sleep(chance.uniform(0.0, 0.3))


def check_what_is_left(life: Life, shared: set[Path]) -> None:
    """Check that acquisition ends with the daemon, and no memory outlives them."""
    until(lambda: not any(Path(f"/proc/{child}").exists() for child in life.acquired))
    assert shared_memory() <= shared


class Seen:
    """What the store had so far; coils that have ended are looked at once."""

    def __init__(self) -> None:
        self._done: set[str] = set()
        self.coils = self.defects = self.lost_lines = 0

    def check(self, path: Path) -> None:
        """Check that the store is sound, and each coil in it whole."""
        if not path.exists():
            return
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()
        with Store.open(path, readonly=True) as store, store.snapshot():
            for coil in store.coils():
                if coil.id in self._done:
                    continue
                lost_lines, defects = check_coil(store, coil)
                if coil.status != "running":
                    self._done.add(coil.id)
                    self.coils += 1
                    self.lost_lines += lost_lines
                    self.defects += defects

    def check_told(self, path: Path, life: Life) -> None:
        """Check that each row of tiles is there that was committed, and one more at most."""
        coil, rows, defects = life.told()
        if not coil:
            return
        core = TILE_PX - 2 * HALO_PX
        with Store.open(path, readonly=True) as store:
            covered = sum(each.lines.lines for each in store.coverage(coil))
            numbers = [defect.number for defect in store.defects(coil)]
        closing = 2  # the last row is shorter, and the end of all defects is told as well
        assert core * (rows - closing) <= covered <= core * (rows + 1)
        assert max(numbers, default=0) >= defects


def check_coil(store: Store, coil: CoilRecord) -> tuple[int, int]:
    """Check ledger and defects of a coil; return lost lines and how many defects it has."""
    at, lost_lines, clean = 0, 0, set[int]()
    for each in store.coverage(coil.id):
        assert each.lines.start == at
        assert each.along_start_m == pytest.approx(at * MM_PER_LINE / 1000, abs=1e-9)
        at = each.lines.stop
        assert each.along_end_m == pytest.approx(at * MM_PER_LINE / 1000, abs=1e-9)
        if each.status == "inspected":
            clean.update(range(each.lines.start, each.lines.stop))
        else:
            assert (each.status, each.reason) == ("unknown", "lost lines")
            lost_lines += each.lines.lines
    if coil.status == "complete":
        assert coil.length_m == pytest.approx(at * MM_PER_LINE / 1000, abs=1e-9)
    elif coil.status == "interrupted":
        assert store.gradings(coil.id)[0].grade == "hold"
    else:
        assert coil.status == "running"
    masks = store.masks(coil.id)
    defects = store.defects(coil.id)
    assert set(masks) == {defect.number for defect in defects}
    for defect in defects:
        runs = masks[defect.number]
        assert (runs[:, 2] - runs[:, 1]).sum() == defect.area_px
        assert (runs[0, 0], runs[-1, 0]) == (defect.first_line, defect.last_line)
        assert set(runs[:, 0].tolist()) <= clean
        assert store.picture(coil.id, defect.number) is not None
    return lost_lines, len(defects)
