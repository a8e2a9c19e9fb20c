"""The process that has a GigE camera is killed while it streams: the next one gets it back."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gi", reason="needs PyGObject, of the extra camera")
pytest.importorskip("onnx", reason="needs the export extra, to make a model")
pytestmark = [
    pytest.mark.export,
    pytest.mark.debian("aravis-tools"),
    pytest.mark.debian("gir1.2-aravis-0.8"),
]

from integration.runtime.gige_peer import LINES, RATE_HZ, GigePeer, camera_station
from stripscan.contract.bundle import write_bundle
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.manifest import InputSpec
from stripscan.runtime.acquisition_link import CHILD
from stripscan.runtime.coil_run import Progress
from stripscan.runtime.daemon import run_station
from stripscan.runtime.station import BundleSection, Station, StoreSection
from stripscan.runtime.station_control import CoilSection
from stripscan.runtime.station_pipeline import PipelineSection
from stripscan.runtime.store import Store
from unit.contract.bundle_samples import draft
from unit.runtime.onnx_samples import dark_model

LINES_HZ = RATE_HZ * LINES


@pytest.fixture
def peer() -> Iterator[GigePeer]:
    with GigePeer() as camera:
        yield camera


def a_station(folder: Path, camera: str) -> Station:
    spec = InputSpec(tile_px=256, halo_px=32, mm_per_px=0.5, size_multiple_px=32)
    no_defect = {c.name: 10**9 for c in NEU_CLASSES}  # the camera's picture is all stripes
    manifest = draft(golden=(), input=spec, min_area_px=no_defect)
    write_bundle(folder / "bundle", manifest, {"model.onnx": dark_model()})
    parts = {
        "store": StoreSection(path=folder / "line.sqlite"),
        "bundle": BundleSection(path=str(folder / "bundle")),
        "coil": CoilSection(id="a"),
        "pipeline": PipelineSection(queue_blocks=512),  # the gap takes a while to write down
    }
    return camera_station(camera, reconnect_s=30.0, timeout_s=1.5).model_copy(update=parts)


def kill_acquisition() -> None:
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            if CHILD.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)


def test_the_next_process_gets_the_camera_back_and_the_ledger_has_the_gap(
    tmp_path: Path, peer: GigePeer
) -> None:
    """A camera obeys its dead owner until it misses the heart beat (GevHeartbeatTimeout)."""
    station = a_station(tmp_path, peer.id)
    began: list[tuple[int, float]] = []
    killed: list[tuple[int, float]] = []
    back: list[tuple[int, float]] = []
    ended: list[int] = []

    def follow(where: Progress) -> None:
        if not began:
            began.append((where.lines, time.monotonic()))
        elif not killed:
            if where.lines > LINES_HZ:
                killed.append((where.lines, time.monotonic()))
                kill_acquisition()
        elif not back:
            if where.lines > killed[0][0] + 2 * LINES_HZ:  # the gap is one block of lost lines
                back.append((where.lines, time.monotonic()))
        elif where.lines > back[0][0] + 2 * LINES_HZ and not ended:
            ended.append(where.lines)
            signal.raise_signal(signal.SIGINT)

    assert run_station(station, on_progress=follow).interrupted
    with Store.open(station.store.path, readonly=True) as store:
        coil, coverage = store.coil("a"), store.coverage("a")
    # The next process may hear nothing, as the camera still sends to the first, and is replaced.
    assert 1 <= coil.stats["acquisition_deaths"] <= 3  # type: ignore[operator]
    away_s = back[0][1] - killed[0][1]
    assert 1 < away_s < 60
    gap = longest(coverage)
    assert (gap.status, gap.reason) == ("unknown", "lost lines")
    (first_line, first_s), (line, line_s) = began[0], killed[0]
    rate_hz = (line - first_line) / (line_s - first_s)  # a busy machine has a slow camera
    assert gap.lines.lines == pytest.approx(rate_hz * away_s, rel=0.5)
    seen = [i for i in coverage if i.status == "inspected"]
    assert seen[0].lines.stop <= gap.lines.start < gap.lines.stop <= seen[-1].lines.start
    assert sum(i.lines.lines for i in seen if i.lines.start >= gap.lines.stop) > LINES_HZ / 4
    at = 0
    for each in coverage:
        assert each.lines.start == at
        at = each.lines.stop
    lost = sum(i.lines.lines for i in coverage if i.reason == "lost lines")
    assert coil.stats["lines_lost"] == lost


def longest(coverage: tuple[CoverageInterval, ...]) -> CoverageInterval:
    gaps = [interval for interval in coverage if interval.status != "inspected"]
    return max(gaps, key=lambda interval: interval.lines.lines)
