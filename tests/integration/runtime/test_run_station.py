"""A station from its source to its store, with a real model; and what is left when it fails."""

import resource
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.contract.bundle import write_bundle
from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.defect import DefectPhase
from stripscan.contract.errors import BundleError, ConfigError, DataError, StoreError
from stripscan.contract.manifest import InputSpec
from stripscan.runtime.coil_run import Progress
from stripscan.runtime.daemon import run_station
from stripscan.runtime.rules.load import load_rules
from stripscan.runtime.rules.replay import replay
from stripscan.runtime.station import Station, load_station
from stripscan.runtime.store import Store
from unit.contract.bundle_samples import draft
from unit.runtime.inspection_samples import metal
from unit.runtime.rules_samples import write_rules

pytest.importorskip("onnx", reason="needs the export extra, to make a model")
pytestmark = pytest.mark.export

from unit.runtime.onnx_samples import dark_model

LINES, WIDTH, COUNT = 80, 128, 5
MM_PER_LINE, MM_PER_PX = 0.25, 0.5


def strip() -> NDArray[np.uint8]:
    """Return a coil with a defect across the borders of two pictures and one beside it."""
    pixels = metal(LINES * COUNT, WIDTH)
    pixels[150:250, 50:60] = 20
    pixels[300:310, 100:105] = 20
    return pixels


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, picture in enumerate(np.split(strip(), COUNT)):
        assert cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


FOLDER = '[source]\nkind = "folder"\npath = "frames"\n'
SIMULATOR = """
[source]
kind = "simulator"
width_px = 256
length_m = 30.0
defects_per_class = 2
speed_m_s = 2.0
block_lines = 100
pace = true
"""


def a_station(folder: Path, *, source: str = FOLDER, coil: str = "a", class_id: int = 2) -> Path:
    write_bundle(
        folder / "bundle",
        draft(
            golden=(), input=InputSpec(tile_px=64, halo_px=8, mm_per_px=0.5, size_multiple_px=32)
        ),
        {"model.onnx": dark_model(class_id=class_id)},
    )
    file = folder / f"{coil}.toml"
    file.write_text(
        f'name = "line 1"\n[coil]\nid = "{coil}"\n'
        f"[camera]\nmm_per_px = {MM_PER_PX}\nmm_per_line = {MM_PER_LINE}\n"
        'strip_edges = "full"\n[bundle]\npath = "bundle"\n[inference]\nthreads = 1\n'
        '[store]\npath = "line.sqlite"\n' + source,
        encoding="utf-8",
    )
    return file


def station_in(folder: Path, **changes: object) -> Station:
    return load_station(a_station(folder, **changes))


def store_in(folder: Path) -> Store:
    return Store.open(folder / "line.sqlite", readonly=True)


def assert_whole(coverage: tuple[CoverageInterval, ...], lines: int) -> None:
    assert coverage[0].lines.start == 0
    assert coverage[-1].lines.stop == lines
    assert all(a.lines.stop == b.lines.start for a, b in pairwise(coverage))
    assert all(a.along_end_m == b.along_start_m for a, b in pairwise(coverage))
    assert sum(i.length_m for i in coverage) == pytest.approx(lines * MM_PER_LINE / 1000)


def told(coverage: tuple[CoverageInterval, ...]) -> list[tuple[int, str, str]]:
    return [(i.lines.stop, str(i.status), i.reason) for i in coverage]


def test_a_coil_is_inspected_and_stored(tmp_path: Path, frames: Path) -> None:
    assert frames.is_dir()
    seen: list[Progress] = []
    result = run_station(station_in(tmp_path), on_progress=seen.append)
    assert (result.coil, result.interrupted) == ("a", False)
    with store_in(tmp_path) as store:
        coil, coverage = store.coil("a"), store.coverage("a")
        long, small = store.defects("a")
        masks, picture = store.masks("a"), store.picture("a", 1)
    assert (coil.status, coil.length_m) == ("complete", pytest.approx(0.1))
    assert coil.stats["dropped_blocks"] == 0
    assert 0 < coil.stats["latency_p50_ms"] <= coil.stats["latency_max_ms"]
    assert told(coverage) == [(400, "inspected", "")]
    assert_whole(coverage, 400)
    assert (long.phase, long.class_name) == (DefectPhase.END, "inclusion")
    assert (long.first_line, long.last_line, long.first_px, long.last_px) == (150, 249, 50, 59)
    assert (long.length_mm, long.width_mm, long.area_mm2) == pytest.approx((25.0, 5.0, 125.0))
    assert (long.edge_left_mm, long.edge_right_mm) == pytest.approx((25.0, 34.0))
    assert (small.first_line, small.area_px) == (300, 50)
    assert masks[1].tolist() == [[line, 50, 60] for line in range(150, 250)]
    assert picture is not None
    assert picture.first_line <= 150
    assert (seen[-1].lines, seen[-1].defects) == (400, 2)


def test_a_coil_is_graded_by_the_rules_as_it_ends(tmp_path: Path, frames: Path) -> None:
    assert frames.is_dir()
    rules = write_rules(
        tmp_path,
        '[[severity]]\nname = "tail crop"\ntail_m = 0.03\nseverity = "ignore"\n'
        '[[severity]]\nname = "long"\nmin_length_mm = 20\nseverity = "major"\n'
        '[[grade]]\nname = "any"\nmin_count = 1\ngrade = "downgrade"\n',
    )
    station = station_in(tmp_path, source=FOLDER + '[rules]\npath = "rules.toml"\n')
    run_station(station)
    with store_in(tmp_path) as store:
        (grading,), (long, small) = store.gradings("a"), store.defects("a")
        again, other = replay(store, "a", rules), replay(store, "a", load_rules(None))
    assert (long.severity, small.severity) == (
        "major",
        "ignore",
    )  # the second is 25 mm from the end
    assert (grading.grade, grading.rules_text) == ("downgrade", rules.text)
    assert [(r.rule, r.verdict, r.text) for r in grading.reasons] == [
        ("any", "downgrade", "1 defect on the coil; the rule asks for 1"),
        ("tail crop", "ignore", "1 defect"),
        ("long", "major", "1 defect"),
    ]
    assert not again.news
    assert [(c.before, c.defect.severity) for c in other.changes] == [
        ("major", "critical"),
        ("ignore", "critical"),
    ]


def test_rules_for_a_class_that_the_bundle_lacks_stop_the_run(tmp_path: Path, frames: Path) -> None:
    assert frames.is_dir()
    write_rules(
        tmp_path, '[[severity]]\nname = "a"\nclasses = ["inclusions"]\nseverity = "minor"\n'
    )
    with pytest.raises(ConfigError, match=r"rules\.toml:6: 'inclusions' is no class of the bundle"):
        run_station(station_in(tmp_path, source=FOLDER + '[rules]\npath = "rules.toml"\n'))
    assert not (tmp_path / "line.sqlite").exists()


def test_an_unreadable_image_leaves_a_hole_that_is_known(tmp_path: Path, frames: Path) -> None:
    (frames / "1.png").write_bytes(b"no picture")
    run_station(station_in(tmp_path))
    with store_in(tmp_path) as store:
        coverage, defects = store.coverage("a"), store.defects("a")
        status = store.coil("a").status
    assert status == "complete"
    assert told(coverage) == [
        (80, "inspected", ""),
        (160, "unknown", "lost lines"),
        (400, "inspected", ""),
    ]
    assert_whole(coverage, 400)
    assert [(d.first_line, d.last_line) for d in defects] == [(160, 249), (300, 309)]


def test_a_source_that_fails_leaves_what_it_gave(tmp_path: Path, frames: Path) -> None:
    (frames / "3.png").write_bytes(b"no picture")
    stop = FOLDER + 'on_bad_image = "stop"\n'
    with pytest.raises(DataError, match=r"3\.png"):
        run_station(station_in(tmp_path, source=stop))
    with store_in(tmp_path) as store:
        coil, coverage, (defect,) = store.coil("a"), store.coverage("a"), store.defects("a")
        (grading,) = store.gradings("a")
    assert (coil.status, grading.grade) == ("failed", "hold")
    assert told(coverage) == [(240, "inspected", "")]
    assert (defect.phase, defect.last_line) == (DefectPhase.END, 239)


def test_a_model_that_fails_leaves_nothing_that_looks_clean(tmp_path: Path, frames: Path) -> None:
    assert frames.is_dir()
    with pytest.raises(BundleError, match="the model found class 9"):
        run_station(station_in(tmp_path, class_id=9))
    with store_in(tmp_path) as store:
        coil, coverage = store.coil("a"), store.coverage("a")
        assert store.defects("a") == ()
    assert (coil.status, coil.ended_at is not None) == ("failed", True)
    inspected, dropped = coverage
    assert (inspected.status, inspected.lines.stop <= 150) == ("inspected", True)
    assert dropped.status == "dropped"
    assert dropped.reason == "the run failed before this strip was inspected"
    assert_whole(coverage, coverage[-1].lines.stop)
    assert coverage[-1].lines.stop >= 240


MOVING = """
[source]
kind = "simulator"
width_px = 128
length_m = 0.2
defects_per_class = 0
reversals = 2
reversal_mm = 20.0
block_lines = 48
[encoder]
mm_per_count = 0.05
counter_bits = 16
"""


def test_a_strip_that_moves_back_is_as_long_as_it_is(tmp_path: Path) -> None:
    run_station(station_in(tmp_path, source=MOVING))
    with store_in(tmp_path) as store:
        coil, coverage = store.coil("a"), store.coverage("a")
    assert (coil.status, coil.length_m) == ("complete", pytest.approx(0.2))
    assert told(coverage) == [(800, "inspected", "")]
    assert_whole(coverage, 800)
    keys = ("reversals", "reseen_lines", "encoder_faults")
    assert [coil.stats[key] for key in keys] == [2, 4 * 80, 0]


def test_the_block_that_waits_for_its_way_is_on_record_when_the_model_fails(
    tmp_path: Path, frames: Path
) -> None:
    assert frames.is_dir()
    encoder = FOLDER + "[encoder]\nmm_per_count = 0.05\n"
    with pytest.raises(BundleError, match="the model found class 9"):
        run_station(station_in(tmp_path, source=encoder, class_id=9))
    with store_in(tmp_path) as store:
        coverage = store.coverage("a")
    assert coverage[-1].status == "dropped"
    assert coverage[-1].lines.stop >= 320
    assert_whole(coverage, coverage[-1].lines.stop)


def test_a_coil_is_never_written_twice(tmp_path: Path, frames: Path) -> None:
    assert frames.is_dir()
    station = station_in(tmp_path)
    run_station(station)
    with pytest.raises(StoreError, match=r"coil a is already in .*; choose another id"):
        run_station(station)
    with store_in(tmp_path) as store:
        assert store.coil("a").status == "complete"
        assert len(store.defects("a")) == 2


def test_signal_handlers_are_as_before(tmp_path: Path, frames: Path) -> None:
    assert frames.is_dir()
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    run_station(station_in(tmp_path))
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def program(file: Path, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "stripscan.cli.main", "run", str(file)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def wait_for_coverage(running: subprocess.Popen[str], folder: Path) -> None:
    """Wait until the run has committed something; stop waiting where it has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and running.poll() is None:
        if (folder / "line.sqlite").is_file():
            try:
                with store_in(folder) as store:
                    if store.coverage("a"):
                        return
            except StoreError:  # it is being made
                pass
        time.sleep(0.02)
    running.kill()
    pytest.fail(f"nothing was inspected: {running.communicate()[1]}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_everything_saved(tmp_path: Path, number: int) -> None:
    with program(a_station(tmp_path, source=SIMULATOR)) as running:
        wait_for_coverage(running, tmp_path)
        running.send_signal(number)
        _, messages = running.communicate(timeout=30)
    assert running.returncode == 4, messages
    assert "Traceback" not in messages
    with store_in(tmp_path) as store:
        coil, coverage, defects = store.coil("a"), store.coverage("a"), store.defects("a")
        masks = store.masks("a")
    assert coil.status == "interrupted"
    assert coverage[0].status == "inspected"
    assert (coverage[-1].status, coverage[-1].reason) == (
        "unknown",
        "the run was stopped before this strip arrived",
    )
    assert_whole(coverage, 120_000)
    assert {d.phase for d in defects} <= {DefectPhase.END}
    areas = {d.number: d.area_px for d in defects}
    assert {n: int((r[:, 2] - r[:, 1]).sum()) for n, r in masks.items()} == areas


def test_after_a_kill_the_next_run_finds_what_was_committed(tmp_path: Path, frames: Path) -> None:
    assert frames.is_dir()
    with program(a_station(tmp_path, source=SIMULATOR)) as running:
        wait_for_coverage(running, tmp_path)
        running.kill()
    with store_in(tmp_path) as store:
        assert store.coil("a").status == "running"
        before = store.coverage("a")
    run_station(station_in(tmp_path, coil="b"))
    with store_in(tmp_path) as store:
        assert (store.coil("a").status, store.coil("b").status) == ("interrupted", "complete")
        assert [g.grade for g in store.gradings("a")] == ["hold"]
        assert store.coverage("a") == before
        assert_whole(before, before[-1].lines.stop)


def test_a_second_run_of_the_same_coil_says_what_to_do(tmp_path: Path, frames: Path) -> None:
    assert frames.is_dir()
    file = a_station(tmp_path)
    run_station(load_station(file))
    with program(file) as running:
        _, messages = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "coil a is already in" in messages
    assert "choose another id" in messages


def test_a_full_disk_is_said_and_what_was_committed_is_kept(tmp_path: Path, frames: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(8):
        spotted = metal(400, WIDTH, seed=number)
        for line, px in random.integers(0, (390, 110), (40, 2)):
            spotted[line : line + 6, px : px + 6] = 20
        assert cv2.imwrite(str(frames / f"{number}.png"), spotted)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    with program(a_station(tmp_path), preexec_fn=limit) as running:
        _, messages = running.communicate(timeout=60)
    assert running.returncode == 3, messages
    assert "cannot be read or written: check the disk, its quota" in messages
    with Store.open(tmp_path / "line.sqlite") as store:
        store.recover()
        coverage, defects, masks = store.coverage("a"), store.defects("a"), store.masks("a")
        assert store.coil("a").status in {"interrupted", "failed"}
    assert_whole(coverage, coverage[-1].lines.stop)
    assert defects
    assert set(masks) == {d.number for d in defects}
