"""Simulator, daemon, store and report together, with the model that comes with stripscan."""

import csv
import json
from pathlib import Path

import pytest

from integration.cli.program import (
    assert_without_a_gap,
    coverage_of,
    defects_of,
    fine,
    run,
    simulator,
    station,
)
from stripscan.contract.coverage import CoverageStatus
from stripscan.runtime.acceptance import judge
from stripscan.runtime.sources.simulator import SimulatorFrames
from stripscan.runtime.station import load_station
from stripscan.runtime.station_sources import SimulatorSource
from stripscan.runtime.store import Store
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip

LINES = 1600


@pytest.fixture(scope="module")
def inspected(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the store of a coil that was read from frames."""
    folder = tmp_path_factory.mktemp("line")
    file = station(folder, source=f'kind = "folder"\npath = "{frames}"')
    assert fine(run("run", file, cwd=folder)).strip() == "coil-1"
    return folder


def test_simulate_writes_the_strip_that_its_seed_gives(frames: Path) -> None:
    truth = json.loads((frames / "truth.json").read_text())
    spec = StripSpec(width_px=512, length_m=0.8, defects_per_class=1, seed=7)
    planted = [(d.class_name, d.first_line, d.area_px) for d in SimulatedStrip(spec).planted]
    assert truth["total_lines"] == LINES
    assert [(d["class_name"], d["first_line"], d["area_px"]) for d in truth["planted"]] == planted


def test_run_covers_the_whole_coil_and_says_what_it_is(inspected: Path) -> None:
    store = inspected / "stripscan.db"
    with Store.open(store, readonly=True) as opened:
        coil = opened.coil("coil-1")
    assert (coil.status, coil.length_m) == ("complete", 0.8)
    assert_without_a_gap(coverage_of(store, "coil-1"), LINES)
    assert {i.status for i in coverage_of(store, "coil-1")} == {CoverageStatus.INSPECTED}
    assert defects_of(store, "coil-1")


def test_report_as_html_json_and_csv_tells_of_the_same_defects(inspected: Path) -> None:
    defects = [defect for defect, _ in defects_of(inspected / "stripscan.db", "coil-1")]
    for kind in ("html", "json", "csv"):
        said = fine(run("report", "coil-1", "--format", kind, cwd=inspected))
        assert said.strip() == f"coil-1.{kind}"

    page = (inspected / "coil-1.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "coil-1" in page
    document = json.loads((inspected / "coil-1.json").read_text())
    assert [d["number"] for d in document["defects"]] == [d.number for d in defects]
    assert document["inspected_percent"] == 100
    with (inspected / "coil-1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class_name"] for row in rows] == [d.class_name for d in defects]


def test_report_without_a_coil_takes_the_latest(inspected: Path, tmp_path: Path) -> None:
    store = inspected / "stripscan.db"
    fine(run("report", "--store", store, "--out", tmp_path / "last.html", cwd=tmp_path))
    assert "coil-1" in (tmp_path / "last.html").read_text()


def test_regrade_by_the_rules_of_the_run_has_no_news(inspected: Path) -> None:
    done = run("regrade", "latest", cwd=inspected)
    assert "coil-1" in fine(done)
    assert "0 of 1 coils with another judgement, not stored: --write does that" in done.stderr


def test_doctor_looks_at_model_and_station(inspected: Path) -> None:
    said = fine(run("doctor", "--station", inspected / "coil-1.toml", cwd=inspected))
    assert "line-1, folder" in said
    assert "fail" not in said


def test_check_says_that_a_station_is_fine_and_writes_nothing(tmp_path: Path) -> None:
    file = station(tmp_path, source=simulator())
    done = run("run", file, "--check", cwd=tmp_path)
    fine(done)
    assert "fine" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_the_cut_into_blocks_changes_no_defect(inspected: Path, tmp_path: Path) -> None:
    reference = without_coil(inspected, "coil-1")
    assert len(reference) >= 3
    for block_lines in (37, 256, 1600):
        coil = f"by-{block_lines}"
        file = station(tmp_path, coil=coil, source=simulator(block_lines=block_lines))
        fine(run("run", file, cwd=tmp_path))
        assert without_coil(tmp_path, coil) == reference


def without_coil(folder: Path, coil: str) -> list[tuple[dict[str, object], list[list[int]]]]:
    rows = defects_of(folder / "stripscan.db", coil)
    fields = [name for name in rows[0][0].__slots__ if name != "coil"]
    return [({name: getattr(defect, name) for name in fields}, mask) for defect, mask in rows]


def test_demo_inspects_all_of_a_short_coil_and_writes_its_report(tmp_path: Path) -> None:
    done = run("demo", "--length-m", "6", cwd=tmp_path)
    said = fine(done)
    assert "100.0 % inspected" in said
    (report,) = (tmp_path / "demo").glob("*.html")
    assert str(report) in said
    assert_without_a_gap(coverage_of(tmp_path / "demo" / "stripscan.db", report.stem), 12_000)


def test_nine_of_ten_planted_defects_of_the_demo_are_found(tmp_path: Path) -> None:
    # The demo's strip, a fifth as long with a fifth of its defects.
    source = simulator(width_px=1024, length_m=24.0, defects_per_class=2, seed=7, noise=2.5)
    file = station(tmp_path, source=source)
    fine(run("run", file, cwd=tmp_path, timeout=300))

    loaded = load_station(file)
    assert isinstance(loaded.source, SimulatorSource)
    strip = SimulatorFrames(loaded.source, loaded.camera).strip
    with Store.open(loaded.store.path, readonly=True) as store:
        judged = judge(store, "coil-1", strip)
    assert judged.planted == 12
    assert judged.found_share >= 0.9, judged
