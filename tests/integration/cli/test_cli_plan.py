"""What a line takes, and whether this machine is fit for it."""

import json
from pathlib import Path

from integration.cli.program import fine, listing, refused, run, simulator, station

LINE = ("plan", "--width-mm", "1650", "--mm-per-px", "0.5", "--speed-m-s", "20")


def test_plan_counts_from_what_this_machine_does(tmp_path: Path) -> None:
    said = json.loads(fine(run(*LINE, "--camera-px", "1024", "--json", cwd=tmp_path)))
    assert listing(tmp_path) == {}
    planned, machine = said["plan"], said["machine"]
    assert (planned["cameras"], planned["line_rate_khz"]) == (4, 40)  # 3,260 of 984 px
    assert machine["mpx_s"] > 0
    assert 0 < machine["commit_ms"] < machine["band_ms"]
    one_camera = 1.5 * 40.96
    held = int(machine["mpx_s"] / one_camera)
    assert planned["cameras_per_machine"] == held
    assert (planned["machines"] is None) == (held == 0)


def test_plan_shows_a_table_that_tells_where_the_camera_ends(tmp_path: Path) -> None:
    table = fine(run(*LINE, "--camera-khz", "26", cwd=tmp_path))
    assert "TOO FAST for the camera: 26 kHz end at 13.0 m/s" in table
    assert "132 Mpx/s" in table


def test_doctor_tells_in_json_that_the_line_is_too_fast(tmp_path: Path) -> None:
    file = station(tmp_path, source=simulator(width_px=4096, defects_per_class=0))
    fast = "mm_per_line = 0.001\ntop_speed_m_s = 100"  # 100 million lines a second
    file.write_text(file.read_text().replace("mm_per_line = 0.5", fast))
    done = run("doctor", "--station", file, "--json", cwd=tmp_path)
    assert "time budget" in refused(done, 1)
    found = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert found["time budget"]["verdict"] == "fail"
    assert "stripscan plan" in found["time budget"]["remedy"]
    assert found["golden frames"]["verdict"] == "ok"
    assert found["socket buffer"]["verdict"] in {"ok", "warn"}
