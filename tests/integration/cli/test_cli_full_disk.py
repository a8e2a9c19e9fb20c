"""Disks that are full: the message, the exit code, and nothing half-written."""

from pathlib import Path

from integration.cli.program import (
    assert_without_a_gap,
    coverage_of,
    fine,
    listing,
    refused,
    run,
    simulator,
    station,
)
from stripscan.contract.coverage import CoverageStatus
from stripscan.runtime.store import Store

SHORT = simulator(length_m=0.4, defects_per_class=0)


def test_a_run_ends_with_what_was_committed_and_the_next_one_goes_on(tmp_path: Path) -> None:
    file = station(tmp_path, source=simulator(length_m=3.0, defects_per_class=4))
    message = refused(run("run", file, cwd=tmp_path, file_limit=300_000), 3)
    assert "stripscan.db" in message
    assert "disk" in message

    fine(run("run", station(tmp_path, source=SHORT, coil="coil-2"), cwd=tmp_path))
    with Store.open(tmp_path / "stripscan.db", readonly=True) as store:
        assert store.coil("coil-1").status in {"failed", "interrupted"}
        assert store.coil("coil-2").status == "complete"
        covered = store.coverage("coil-1")
        assert_without_a_gap(covered, covered[-1].lines.stop)
        inspected = [i.lines.lines for i in covered if i.status is CoverageStatus.INSPECTED]
        assert 0 < sum(inspected) < 6000
        for defect in store.defects("coil-1"):
            assert store.runs("coil-1", defect.number)[:, 0].min() == defect.first_line


def test_a_store_that_cannot_be_begun_is_no_store(tmp_path: Path) -> None:
    file = station(tmp_path, source=SHORT)
    assert "stripscan.db" in refused(run("run", file, cwd=tmp_path, file_limit=2000), 3)
    fine(run("run", file, cwd=tmp_path))
    assert_without_a_gap(coverage_of(tmp_path / "stripscan.db", "coil-1"), 800)


def test_a_report_is_whole_or_not_there(tmp_path: Path) -> None:
    file = station(tmp_path, source=simulator(length_m=1.2, defects_per_class=3))
    fine(run("run", file, cwd=tmp_path))
    (tmp_path / "coil-1.html").write_text("the old one")
    # SQLite's index of the WAL has 32 KiB, and is written to read the store.
    done = run("report", cwd=tmp_path, file_limit=33_000)
    assert "the report coil-1.html cannot be written: File too large" in refused(done, 3)
    assert (tmp_path / "coil-1.html").read_text() == "the old one"
    assert not list(tmp_path.glob(".*.part"))

    for kind in ("html", "json", "csv"):
        done = run("report", "--format", kind, "--out", "/dev/full", cwd=tmp_path)
        assert "/dev/full cannot be written: No space left on device" in refused(done, 3)
        assert Path("/dev/full").is_char_device()


def test_predictions_are_whole_or_not_there(image: Path, tmp_path: Path) -> None:
    done = run("predict", "default", image, cwd=tmp_path, file_limit=20_000)
    message = refused(done, 3)
    assert f"{image.stem}.overlay.png: cannot be written: File too large" in message
    assert list(listing(tmp_path / "predictions")) == [f"{image.stem}.mask.png"]


def test_a_simulated_strip_is_whole_or_not_there(tmp_path: Path) -> None:
    ask = ("simulate", "--defects-per-class", "0", "--out", "new")
    done = run(*ask, cwd=tmp_path, file_limit=1000)
    assert "new cannot be written: File too large" in refused(done, 3)
    assert listing(tmp_path) == {}


def test_figures_and_splits_are_whole_or_not_there(labelled: Path, tmp_path: Path) -> None:
    ask_eval = ["eval", "--data", labelled, "--clean-m2", "0", "--json"]
    for ask in (ask_eval, ["data", "split", labelled, "--out"]):
        done = run(*ask, "new.json", cwd=tmp_path, file_limit=100)
        assert "new.json: cannot be written: File too large" in refused(done, 3)
        assert listing(tmp_path) == {}


def test_a_demo_that_cannot_write_says_so(tmp_path: Path) -> None:
    done = run("demo", "--length-m", "5", cwd=tmp_path, file_limit=100)
    assert "demo: cannot be written: File too large" in refused(done, 3)
    assert list(listing(tmp_path)) == ["demo"]
