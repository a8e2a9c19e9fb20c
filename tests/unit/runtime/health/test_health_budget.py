from pathlib import Path

import pytest

from stripscan.runtime.health.budget import Budget, budget_finding
from stripscan.runtime.health.pace import Pace, measure_pace
from stripscan.runtime.health.station import station_findings
from unit.runtime.health.made_machine import verdicts
from unit.runtime.inspection_samples import BoxEngine, Pixels, manifest, station


def budget(top_speed_m_s: float | None) -> Budget:
    """Return 224 lines of 2,048 px and 0.5 mm that take 5.6 ms, 0.6 of them for the store."""
    pace = Pace(band_lines=224, width_px=2048, band_ms=5.0, bands=100)
    return Budget(pace=pace, commit_ms=0.6, mm_per_line=0.5, top_speed_m_s=top_speed_m_s)


def test_a_band_that_takes_as_long_as_it_passes_has_no_margin() -> None:
    at_20_m_s = budget(20.0)  # 112 mm in 5.6 ms
    assert at_20_m_s.band_ms == pytest.approx(5.6)
    assert at_20_m_s.margin == pytest.approx(0, abs=1e-12)
    assert at_20_m_s.fastest_m_s == pytest.approx(20.0)
    assert at_20_m_s.capacity_mpx_s == pytest.approx(81.92)  # 40,000 lines/s of 2,048 px


@pytest.mark.parametrize(
    ("top_speed_m_s", "live", "verdict", "said"),
    [
        (10.0, True, "ok", "20,000 lines/s, 41.0 Mpx/s, they pass in 11.2 ms: margin +100%"),
        (16.0, True, "warn", "they pass in 7.0 ms: margin +25%"),
        (25.0, False, "fail", "they pass in 4.5 ms: margin -20%"),
        (None, True, "warn", "enough up to 20.0 m/s"),
        (None, False, "ok", "81.9 Mpx/s, enough up to 20.0 m/s"),  # files wait
    ],
)
def test_the_margin_decides(
    top_speed_m_s: float | None, live: bool, verdict: str, said: str
) -> None:
    finding = budget_finding(budget(top_speed_m_s), live=live)
    assert verdicts([finding]) == {"time budget": verdict}
    assert finding.detail.endswith(said)


class CountingEngine(BoxEngine):
    """Counts the tiles that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.tiles = 0

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        self.tiles += len(tiles)
        return super().infer(tiles)


@pytest.mark.parametrize("width_px", [48, 1500])
def test_the_pace_is_that_of_bands_which_were_all_inspected(width_px: int) -> None:
    engine = CountingEngine()
    pace = measure_pace(station(), manifest(), engine, width_px=width_px, seconds=0)
    assert (pace.band_lines, pace.width_px, pace.bands) == (48, width_px, 5)
    assert pace.band_ms > 0
    # A block that looks like a copy of the one before would not reach the engine.
    assert engine.tiles == (3 + 5) * -(-width_px // 48)
    assert engine.largest_batch <= 4


STATION = """
name = "line-1"
[camera]
mm_per_px = 0.5
mm_per_line = 0.5
top_speed_m_s = {speed}
[source]
kind = "simulator"
width_px = 256
length_m = 0.5
defects_per_class = 0
"""


def test_a_station_is_held_against_its_top_speed(tmp_path: Path) -> None:
    file = tmp_path / "line.toml"
    file.write_text(STATION.format(speed=100), encoding="utf-8")  # 51 Mpx/s of nearly one tile
    found = {finding.what: finding for finding in station_findings(file)}
    assert list(found) == [
        "station",
        "source",
        "station's bundle",
        "station's rules",
        "station's engine",
        "store's disk",
        "file system",
        "commits",
        "time budget",
    ]
    assert found["source"].detail == "lines of 256 px"
    assert "at 100 m/s 200,000 lines/s, 51.2 Mpx/s" in found["time budget"].detail
    assert [path.name for path in tmp_path.iterdir()] == ["line.toml"]


def test_a_flat_field_that_is_not_there_fails(tmp_path: Path) -> None:
    file = tmp_path / "line.toml"
    text = STATION.format(speed=1).replace("[camera]", '[camera]\nflat_field = "none.npz"')
    file.write_text(text, encoding="utf-8")
    found = {finding.what: finding.verdict for finding in station_findings(file)}
    assert (found["source"], found["flat field"]) == ("ok", "fail")


def test_a_source_that_is_not_there_fails_and_has_no_budget(tmp_path: Path) -> None:
    file = tmp_path / "line.toml"
    head = STATION.partition("[source]")[0].format(speed=1)
    file.write_text(f'{head}[source]\nkind = "folder"\npath = "none"\n', encoding="utf-8")
    found = {finding.what: finding.verdict for finding in station_findings(file)}
    assert found["source"] == "fail"
    assert found["station's engine"] == "ok"
    assert "time budget" not in found
