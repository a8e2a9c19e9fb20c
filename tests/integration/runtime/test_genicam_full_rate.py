"""A full camera over the real protocol: 2,048 px at more than 50 Mpx/s, inspected meanwhile."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from integration.cli.program import ended, fine, run, start
from integration.runtime.test_run_process import inspect_until
from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.defect import Defect
from stripscan.runtime.daemon import run_station
from stripscan.runtime.station import Station
from stripscan.runtime.store import Store

pytestmark = [pytest.mark.debian("aravis-tools"), pytest.mark.debian("gir1.2-aravis-0.8")]

WIDTH_PX, BLOCK_LINES, LINES = 2048, 64, 38_400
PITCH_MM, SPEED_M_S = 0.25, 6.4  # 25,600 lines a second: 52 Mpx/s
NEAR_LINES = 300  # what comes right before black metal, or beside what nobody segmented
STRIP = (
    *("--width-px", str(WIDTH_PX), "--pitch-mm", str(PITCH_MM), "--seed", "11"),
    *("--length-m", str(LINES * PITCH_MM / 1000), "--defects-per-class", "2"),
    *("--block-lines", str(BLOCK_LINES), "--speed-m-s", str(SPEED_M_S)),
)


def a_station(folder: Path, source: dict[str, object]) -> Station:
    parts = {
        "name": "line 1",
        "camera": {"mm_per_px": PITCH_MM, "mm_per_line": PITCH_MM},
        "coil": {"id": "a"},
        "source": source,
        "store": {"path": folder / "line.sqlite"},
        "inference": {"gate": True},
        "pipeline": {"overload": "degrade", "queue_blocks": 512},
    }
    return Station.model_validate(parts)


def places(
    defects: Sequence[Defect], hurried: Sequence[CoverageInterval] = ()
) -> list[dict[str, object]]:
    """Return defects without their numbers, but for those near lines that were not segmented."""
    return [
        {name: value for name, value in dataclasses.asdict(d).items() if name != "number"}
        for d in defects
        if d.last_line < LINES - NEAR_LINES
        and not any(
            d.first_line < gap.lines.stop + NEAR_LINES
            and d.last_line > gap.lines.start - NEAR_LINES
            for gap in hurried
        )
    ]


def test_no_line_is_lost_and_the_defects_are_those_of_files(tmp_path: Path) -> None:
    pytest.importorskip("gi", reason="needs PyGObject, of the extra camera")
    fine(run("simulate", *STRIP, "--out", "strip", cwd=tmp_path))
    files = a_station(tmp_path, {"kind": "folder", "path": tmp_path / "strip"})
    run_station(files)
    with Store.open(files.store.path, readonly=True) as store:
        expected = store.defects("a")
        assert {each.status for each in store.coverage("a")} == {"inspected"}
    assert len(expected) >= 10

    live = a_station(tmp_path, {"kind": "genicam", "id": "127.0.0.1", "block_lines": BLOCK_LINES})
    # A busy machine may lose a packet, which is told, and is not what is looked at here.
    for _ in range(4):
        live.store.path.unlink()
        camera = start("simulate", *STRIP, "--as-camera", "127.0.0.1", cwd=tmp_path)
        assert camera.stdout is not None
        assert camera.stdout.readline()  # its name, once it is there
        inspect_until(live, lines=LINES + 1000)
        camera.terminate()
        ended(camera)
        with Store.open(live.store.path, readonly=True) as store:
            coil, coverage, defects = store.coil("a"), store.coverage("a"), store.defects("a")
        if not coil.stats["lines_lost"]:
            break
    assert (coil.stats["lines_lost"], coil.stats["dropped_lines"]) == (0, 0)
    of_strip = [each for each in coverage if each.lines.start < LINES]
    assert {each.status for each in of_strip} <= {"inspected", "degraded"}
    assert of_strip[-1].lines.stop == LINES
    hurried = [each for each in of_strip if each.status == "degraded"]
    assert all("gate only" in each.reason for each in hurried)
    assert places(defects, hurried) == places(expected, hurried)
