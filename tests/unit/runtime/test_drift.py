import logging

import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.runtime.conditioning.drift import DriftWatch
from unit.runtime.conditioning_samples import flat_field

WIDTH = 320  # 20 columns a group
EDGES = np.array([[40, 280]], np.float32)


def watch() -> DriftWatch:
    field = flat_field(np.ones(WIDTH, np.float32))
    return DriftWatch(camera="top-1", field=field, alarm_percent=20.0, mm_per_line=10.0)


def run(drift: DriftWatch, line: NDArray[np.uint8], metres: int) -> None:
    for _ in range(metres):
        drift.push(line[None], EDGES, lines=100)


def metal(grey: int = 120) -> NDArray[np.uint8]:
    line = np.full(WIDTH, grey, np.uint8)
    line[:40] = line[280:] = 3
    return line


def test_steady_light_and_short_changes_are_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    drift = watch()
    run(drift, metal(), 100)
    run(drift, metal(60), 15)
    run(drift, metal(), 100)
    assert drift.stats() == {
        "illumination_change_percent": 0.0,
        "illumination_uneven_percent": 0.0,
    }
    assert caplog.records == []


def test_lamps_that_age_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    drift = watch()
    run(drift, metal(90), 300)
    assert drift.stats() == {
        "illumination_change_percent": -25.0,
        "illumination_uneven_percent": 0.0,
        "illumination_alarm": "all columns -25 %",
    }
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert (record.camera, record.lamp_hours_then) == ("top-1", 1200.0)  # type: ignore[attr-defined]
    run(drift, metal(100), 300)  # 17 % is not calm yet, so that 25 % again is no second alarm
    run(drift, metal(90), 300)
    assert len(caplog.records) == 1
    run(drift, metal(120), 300)
    run(drift, metal(150), 300)
    assert [r.change for r in caplog.records] == ["all columns -25 %", "all columns +25 %"]  # type: ignore[attr-defined]


def test_a_dirty_lens_is_told_by_its_columns() -> None:
    drift = watch()
    line = metal()
    line[100:120] = 78
    run(drift, line, 200)
    assert drift.stats() == {
        "illumination_change_percent": 0.0,
        "illumination_uneven_percent": -35.0,
        "illumination_alarm": "columns 100–119 -35 % against all",
    }


def test_nothing_is_said_before_there_is_strip_enough() -> None:
    drift = watch()
    run(drift, metal(60), 4)
    assert drift.stats()["illumination_change_percent"] is None
