"""A station whose lines come from a process of their own: overload, death, the real protocol."""

import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.bundle import write_bundle
from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.errors import CameraLost
from stripscan.contract.manifest import InputSpec
from stripscan.runtime.coil_run import Progress
from stripscan.runtime.daemon import run_station
from stripscan.runtime.station import Station
from stripscan.runtime.store import Store
from unit.contract.bundle_samples import draft
from unit.runtime.inspection_samples import metal

pytest.importorskip("onnx", reason="needs the export extra, to make a model")
pytestmark = pytest.mark.export

from unit.runtime.onnx_samples import dark_model

MM_PER_LINE = 0.25
TOO_SLOW = "the machine was slower than the line: oldest blocks dropped"


def a_station(folder: Path, source: dict[str, object], **pipeline: object) -> Station:
    spec = InputSpec(tile_px=64, halo_px=8, mm_per_px=0.5, size_multiple_px=32)
    write_bundle(folder / "bundle", draft(golden=(), input=spec), {"model.onnx": dark_model()})
    camera = {"mm_per_px": 0.5, "mm_per_line": MM_PER_LINE, "strip_edges": "full"}
    parts = {
        "name": "line 1",
        "coil": {"id": "a"},
        "camera": camera | {"top_speed_m_s": 1.0},
        "source": source,
        "store": {"path": folder / "line.sqlite"},
        "bundle": {"path": str(folder / "bundle")},
        "inference": {"threads": 1},
        "pipeline": pipeline,
    }
    return Station.model_validate(parts)


def simulator(length_m: float, speed_m_s: float) -> dict[str, object]:
    strip = {"width_px": 256, "length_m": length_m, "defects_per_class": 1, "block_lines": 64}
    return {"kind": "simulator", "pace": True, "speed_m_s": speed_m_s} | strip


def lines_of(coverage: tuple[CoverageInterval, ...], status: str) -> int:
    return sum(i.lines.lines for i in coverage if i.status == status)


def assert_whole(coverage: tuple[CoverageInterval, ...], lines: int) -> None:
    assert (coverage[0].lines.start, coverage[-1].lines.stop) == (0, lines)
    assert all(a.lines.stop == b.lines.start for a, b in pairwise(coverage))
    assert sum(i.length_m for i in coverage) == pytest.approx(lines * MM_PER_LINE / 1000)


def test_what_was_too_much_is_on_record_and_has_no_defects(tmp_path: Path) -> None:
    station = a_station(tmp_path, simulator(1.0, 3.0), process=True, queue_blocks=3)
    run_station(station, on_progress=lambda _: time.sleep(0.02))
    with Store.open(station.store.path, readonly=True) as store:
        coil, coverage, masks = store.coil("a"), store.coverage("a"), store.masks("a")
    assert coil.status == "complete"
    assert_whole(coverage, 4000)
    dropped = [i for i in coverage if i.status == "dropped"]
    assert {i.reason for i in dropped} == {TOO_SLOW}
    assert sum(i.lines.lines for i in dropped) == coil.stats["dropped_lines"] > 0
    assert lines_of(coverage, "inspected") + coil.stats["dropped_lines"] == 4000
    marked = {int(line) for runs in masks.values() for line in runs[:, 0]}
    assert not any(line in marked for i in dropped for line in range(i.lines.start, i.lines.stop))
    assert coil.stats["latency_waiting_max_ms"] <= coil.stats["latency_max_ms"]
    assert coil.stats["deadline_ms"] == pytest.approx(48 * MM_PER_LINE)


def test_when_the_process_is_killed_the_ledger_is_whole_and_true(tmp_path: Path) -> None:
    station = a_station(tmp_path, simulator(20.0, 2.0), process=True)
    killed: list[int] = []

    def kill(where: Progress) -> None:
        if where.lines >= 1000 and not killed:
            killed.append(where.lines)
            for task in Path("/proc/self/task").iterdir():
                for child in (task / "children").read_text().split():
                    if b"acquisition_child" in Path(f"/proc/{child}/cmdline").read_bytes():
                        os.kill(int(child), signal.SIGKILL)

    with pytest.raises(CameraLost, match="the acquisition process was killed by SIGKILL"):
        run_station(station, on_progress=kill)
    with Store.open(station.store.path, readonly=True) as store:
        coil, coverage, (grading,) = store.coil("a"), store.coverage("a"), store.gradings("a")
    assert (coil.status, grading.grade) == ("failed", "hold")
    assert coil.stats["acquisition_deaths"] == 1
    assert_whole(coverage, 80_000)
    assert (coverage[0].status, coverage[-1].status) == ("inspected", "unknown")
    assert 1000 <= lines_of(coverage, "inspected") < 40_000


def inspect_until(station: Station, *, lines: int) -> None:
    """Run a station that has no end, and press Ctrl-C once it has so many lines."""
    asked: list[int] = []

    def stop_at_the_end(where: Progress) -> None:
        if where.lines >= lines and not asked:
            asked.append(where.lines)
            signal.raise_signal(signal.SIGINT)

    assert run_station(station, on_progress=stop_at_the_end).interrupted


@pytest.mark.debian("aravis-tools")
@pytest.mark.debian("gir1.2-aravis-0.8")
def test_the_real_protocol_brings_the_same_defects_as_files(tmp_path: Path) -> None:
    pytest.importorskip("gi", reason="needs PyGObject, of the extra camera")
    from stripscan.runtime.simulated_camera import SimulatedCamera

    strip = metal(960, 2048)
    for line, px in [(90, 50), (150, 1400), (380, 2000), (600, 700)]:
        strip[line : line + 60, px : px + 12] = 20
    blocks = np.split(strip, 30)  # each fits into the buffer of a socket
    (tmp_path / "frames").mkdir()
    for number, picture in enumerate(blocks):
        assert cv2.imwrite(str(tmp_path / f"frames/{number}.png"), picture)
    files = a_station(tmp_path, {"kind": "folder", "path": tmp_path / "frames"})
    run_station(files)
    with Store.open(files.store.path, readonly=True) as store:
        expected, masks = store.defects("a"), store.masks("a")
    files.store.path.unlink()
    assert len(expected) == 4

    camera = a_station(tmp_path, {"kind": "genicam", "id": "127.0.0.1", "block_lines": 32})
    # A busy machine may lose a packet, which is told, and is not what is looked at here.
    for _ in range(4):
        camera.store.path.unlink(missing_ok=True)
        with SimulatedCamera(blocks, address="127.0.0.1", period_s=0.03):
            inspect_until(camera, lines=1200)
        with Store.open(camera.store.path, readonly=True) as store:
            coil, coverage = store.coil("a"), store.coverage("a")
        if not coil.stats["lines_lost"]:
            break
    with Store.open(camera.store.path, readonly=True) as store:
        assert store.defects("a") == expected
        assert {n: r.tolist() for n, r in store.masks("a").items()} == {
            n: r.tolist() for n, r in masks.items()
        }
    assert (coil.stats["dropped_lines"], coil.stats["lines_lost"]) == (0, 0)
    assert [(i.lines.start, i.status, i.reason) for i in coverage] == [
        (0, "inspected", ""),
        (960, "unknown", "dark image"),
    ]
    assert_whole(coverage, coverage[-1].lines.stop)
