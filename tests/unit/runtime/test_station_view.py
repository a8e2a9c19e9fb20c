"""Several cameras in a station file."""

import re
from pathlib import Path

import pytest

from stripscan.contract.errors import ConfigError
from stripscan.runtime.panorama.geometry import View, share_out
from stripscan.runtime.panorama.sections import camera_station, camera_stations, surface_stations
from stripscan.runtime.station import Station, load_station
from stripscan.runtime.station_sources import FolderSource

HEAD = """\
name = "exit"
[camera]
mm_per_px = 0.5
mm_per_line = 0.25
bits = 12
edge_margin_mm = 5.0
"""
VIEWS = """\
[[view]]
name = "left"
left_mm = 0
flat_field = "left.npz"
[view.source]
kind = "folder"
path = "l"
[[view]]
name = "right"
left_mm = 900.0
mm_per_px = 0.48
[view.source]
kind = "folder"
path = "r"
[[view]]
name = "below"
surface = "bottom"
left_mm = 3.5
mirrored = true
[view.source]
kind = "folder"
path = "b"
"""


def load(folder: Path, text: str) -> Station:
    path = folder / "station.toml"
    path.write_text(text, encoding="utf-8")
    return load_station(path)


def problem(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return str(caught.value).removeprefix(f"{folder / 'station.toml'}:")


def test_each_camera_has_what_is_its_own_and_what_all_share(tmp_path: Path) -> None:
    station = load(tmp_path, HEAD + VIEWS)
    left, right, below = camera_stations(station)
    assert (left.camera.name, left.camera.mm_per_px, left.camera.bits) == ("left", 0.5, 12)
    assert left.camera.flat_field == tmp_path / "left.npz"
    assert (right.camera.mm_per_px, right.camera.flat_field) == (0.48, None)
    assert (below.camera.surface, below.camera.edge_margin_mm) == ("bottom", 5.0)
    assert isinstance(right.source, FolderSource)
    assert right.source.path == tmp_path / "r"
    assert not right.view
    top, bottom = surface_stations(station)
    assert (top.camera.surface, bottom.camera.surface) == ("top", "bottom")
    assert (top.camera.mm_per_px, top.camera.flat_field) == (0.5, None)
    assert camera_station(station, "right") == right
    with pytest.raises(ConfigError, match="is to be named: station exit has left, right, below"):
        camera_station(station, None)
    with pytest.raises(ConfigError, match='is not "rihgt"'):
        camera_station(station, "rihgt")


def test_one_camera_is_a_station_as_before(tmp_path: Path) -> None:
    station = load(tmp_path, HEAD + '[source]\nkind = "folder"\npath = "l"\n')
    assert camera_stations(station) == (station,)
    assert camera_station(station, None) is station


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "right"', 'name = "left"', 'two tables [[view]] have the name = "left"'),
        ("bits = 12", 'bits = 12\nname = "top-1"', "name in [camera] is for a station with one"),
        ("0.48", "1.2", 'mm_per_px = 1.2 of view "right" is more than twice as fine or coarse'),
        ("[[view]]", '[source]\nkind = "folder"\npath = "x"\n[[view]]', "[source] does not go"),
        ("[[view]]", "[encoder]\nmm_per_count = 0.1\n[[view]]", "[encoder] does not go with [[v"),
        ('kind = "folder"\npath = "r"', 'kind = "simulator"', "has 8 bits: set bits = 8"),
        ("left_mm = 900.0\n", "", "14: view[2].left_mm is missing: add a number in mm"),
        ("[[view]]", '[coil]\ncontrol = "commands"\n[[view]]', "needs a source that runs on"),
    ],
)
def test_views_that_do_not_go_together_are_told(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in problem(tmp_path, (HEAD + VIEWS).replace(old, new, 1))


def test_a_mistake_in_the_first_source_is_told_once(tmp_path: Path) -> None:
    text = (HEAD + VIEWS).replace('path = "l"', 'pth = "l"')
    line = text.splitlines().index('pth = "l"') + 1
    said = f"{line}: view[1].source.pth is not known; did you mean path?"
    assert problem(tmp_path, text) == said


def test_a_piece_of_the_simulated_strip_lies_within_it(tmp_path: Path) -> None:
    piece = 'kind = "simulator"\nwidth_px = 400\nview_left_px = 300\nview_px = 101\n'
    text = 'name = "a"\n[camera]\nmm_per_px = 1\nmm_per_line = 1\n[source]\n' + piece
    assert "reach beyond width_px = 400" in problem(tmp_path, text)


def test_the_worked_example_sees_the_strip_without_a_gap(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs/how-to/several-cameras.md"
    (example,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    station = load(tmp_path, example)
    for surface, width_mm in (("top", 1740.0), ("bottom", 1737.6)):
        views = [
            View(
                camera=view.name,
                left_mm=view.left_mm,
                width_px=2200,
                mm_per_px=station.camera.mm_per_px,
                mirrored=view.mirrored,
            )
            for view in station.view
            if view.surface == surface
        ]
        left, right = share_out(surface, views, mm_per_px=station.camera.mm_per_px)
        assert right.stop * 0.4 == pytest.approx(width_mm)
        assert left.plain is not None
        assert right.plain is not None
