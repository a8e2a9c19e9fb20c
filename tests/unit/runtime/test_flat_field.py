from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stripscan.contract.errors import ConfigError, DataError
from stripscan.runtime.conditioning.flat_field import FlatField, Flattener, named_columns
from stripscan.runtime.conditioning.flat_field_file import load_flat_field, save_flat_field
from stripscan.runtime.conditioning.station_field import station_flat_field
from stripscan.runtime.station import Station
from unit.runtime.conditioning_samples import flat_field


def columns(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_gain_offset_and_saturation_by_hand() -> None:
    field = flat_field(columns(1.0, 1.5, 2.0, 0.5), offset=columns(0, 10, 0, 0))
    given_ = np.array([[100, 110, 200, 255], [0, 3, 1, 4]], np.uint8)
    before = given_.copy()
    assert Flattener(field).apply(given_).tolist() == [[100, 150, 255, 128], [0, 0, 2, 2]]
    assert np.array_equal(given_, before)


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(1, 40), st.booleans(), st.integers(0, 99))
def test_every_pixel_is_rounded_as_in_floats(
    lines: int, width: int, has_offset: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (lines, width), np.uint8)
    gain = rng.uniform(0.2, 5.0, width).astype(np.float32)
    offset = rng.uniform(0, 9, width).astype(np.float32) * has_offset
    exact = np.clip((pixels.astype(np.float64) - offset) * gain, 0, 255)
    got = Flattener(flat_field(gain, offset=offset)).apply(pixels)
    assert np.abs(got - exact).max() <= 0.5 + 1e-3


def test_dead_columns_are_filled_from_their_neighbours() -> None:
    dead = np.array([True, False, False, True, True, False])
    flattener = Flattener(flat_field(columns(1, 1, 2, 1, 1, 1), dead=dead))
    pixels = np.array([[0, 40, 30, 255, 0, 90]], np.uint8)
    assert flattener.apply(pixels).tolist() == [[40, 40, 60, 70, 80, 90]]
    assert flattener.repaired(pixels).tolist() == [[40, 40, 30, 50, 70, 90]]
    assert named_columns(dead) == "0, 3–4"


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    field = flat_field(columns(1.25, 0.75, 1.0), offset=columns(2, 0, 1))
    save_flat_field(field, tmp_path / "a.npz")
    back = load_flat_field(tmp_path / "a.npz")
    assert back.origin == field.origin
    assert back.level_grey == field.level_grey
    assert back.digest == field.digest
    for name in ("gain", "offset", "learned", "dead"):
        assert np.array_equal(getattr(back, name), getattr(field, name))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (flat_field(columns(1, np.nan, 1)), "a gain is not from 0.2 to 5"),
        (flat_field(columns(1, 7, 1)), "a gain is not from 0.2 to 5"),
        (flat_field(columns(1, 1), offset=columns(0, -1)), "an offset"),
        (flat_field(columns(1, 1), dead=np.ones(2, np.bool_)), "no living column"),
        (flat_field(columns(1, 1), dead=np.zeros(3, np.bool_)), "differ in number"),
        (flat_field(np.ones(3)), "gain is float64"),
    ],
)
def test_a_file_with_what_no_learning_gives_is_refused(
    tmp_path: Path, field: FlatField, said: str
) -> None:
    save_flat_field(field, tmp_path / "a.npz")
    with pytest.raises(DataError, match=rf"a\.npz: .*{said}.*learn it again"):
        load_flat_field(tmp_path / "a.npz")


def test_a_damaged_or_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match="cannot be read"):
        load_flat_field(path)
    save_flat_field(flat_field(np.linspace(0.9, 1.1, 500, dtype=np.float32)), path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:200], whole[:-40]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.npz"):
            load_flat_field(path)
    np.savez(path, gain=np.ones(4))
    with pytest.raises(DataError, match="learn it again"):
        load_flat_field(path)
    path.write_bytes(whole)
    with np.load(path) as arrays:
        changed = dict(arrays)
    changed["gain"] = changed["gain"] * np.float32(1.01)
    np.savez(path, **changed)
    with pytest.raises(DataError, match="changed or damaged"):
        load_flat_field(path)


def test_a_station_refuses_the_field_of_another_camera(tmp_path: Path) -> None:
    save_flat_field(flat_field(columns(1, 1, 1)), tmp_path / "a.npz")

    def with_camera(**keys: object) -> Station:
        camera = {"name": "top-1", "mm_per_px": 1.0, "mm_per_line": 1.0, **keys}
        source = {"kind": "folder", "path": tmp_path}
        return Station.model_validate({"name": "a", "camera": camera, "source": source})

    assert station_flat_field(with_camera()) is None
    fine = with_camera(flat_field=tmp_path / "a.npz")
    assert station_flat_field(fine, width_px=3) is not None
    with pytest.raises(ConfigError, match="width '3 px' and not '4 px'"):
        station_flat_field(fine, width_px=4)
    other = with_camera(flat_field=tmp_path / "a.npz", name="top-2", bits=12)
    with pytest.raises(ConfigError, match="camera 'top-1' and not 'top-2', bits 8 and not 12"):
        station_flat_field(other)
