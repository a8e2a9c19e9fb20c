"""Who owns which columns, and what of them a picture gets."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.contract.errors import ConfigError
from stripscan.runtime.conditioning.flat_field import FlatField, Origin
from stripscan.runtime.panorama.field import joined_field
from stripscan.runtime.panorama.geometry import View, share_out

LEFT = View(camera="left", left_mm=100.0, width_px=1000, mm_per_px=0.5, mirrored=False)
RIGHT = View(camera="right", left_mm=550.0, width_px=800, mm_per_px=0.5, mirrored=False)


def test_the_seam_is_in_the_middle_of_the_overlap() -> None:
    left, right = share_out("top", [RIGHT, LEFT], mm_per_px=0.5)
    assert (left.camera, left.start, left.stop) == ("left", 0, 950)
    assert (right.camera, right.start, right.stop) == ("right", 950, 1700)
    assert (left.plain, right.plain) == (slice(0, 950), slice(50, 800))


def test_a_mirrored_camera_gives_its_columns_from_the_right() -> None:
    mirrored = dataclasses.replace(RIGHT, mirrored=True)
    _, right = share_out("top", [LEFT, mirrored], mm_per_px=0.5)
    pixels = np.arange(800, dtype=np.int64).astype(np.uint8)[None]
    target = np.empty((1, 750), np.uint8)
    right.write(pixels, target)
    assert np.array_equal(target, pixels[:, ::-1][:, 50:])


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (
            dataclasses.replace(RIGHT, left_mm=600.5),
            '"left" and "right" on the top surface are 0.5 mm that no camera',
        ),
        (
            dataclasses.replace(RIGHT, width_px=90),
            'the second sees nothing that the first does not: "left"',
        ),
    ],
)
def test_what_nobody_sees_and_what_adds_nothing_is_refused(right: View, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        share_out("top", [LEFT, right], mm_per_px=0.5)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("pitch_mm", "shift_mm"), [(0.4, 0.0), (0.5, 0.2), (0.63, 0.05)])
def test_a_ramp_of_light_stays_one_over_other_pitches_and_places(
    pitch_mm: float, shift_mm: float, mirrored: bool
) -> None:
    view = View(
        camera="c", left_mm=550 + shift_mm, width_px=600, mm_per_px=pitch_mm, mirrored=mirrored
    )
    left, right = share_out("top", [LEFT, view], mm_per_px=0.5)

    def ramp(place_mm: NDArray[np.float64]) -> NDArray[np.uint8]:
        return np.asarray(np.rint(20 + 0.2 * (place_mm - 100)), np.uint8)

    seen = ramp(view.left_mm + (np.arange(600) + 0.5) * pitch_mm)[None]
    picture = np.empty((1, right.stop), np.uint8)
    left.write(ramp(100 + (np.arange(1000) + 0.5) * 0.5)[None], picture[:, left.columns])
    right.write(seen[:, ::-1] if mirrored else seen, picture[:, right.columns])
    true = ramp(100 + (np.arange(right.stop) + 0.5) * 0.5)
    assert np.abs(picture[0].astype(int) - true).max() <= 1


def test_flat_fields_are_joined_at_one_level() -> None:
    shares = share_out("top", [LEFT, RIGHT], mm_per_px=0.5)

    def learned(camera: str, width: int, gain: float, level: float) -> FlatField:
        origin = Origin(
            camera=camera,
            bits=8,
            transfer="linear",
            target="strip",
            source="simulator",
            learned_at="2026-03-01T08:00:00+00:00",
            lamp_hours=None,
            blocks=1,
            lines=1,
            stripscan_version="1",
        )
        dead = np.zeros(width, np.bool_)
        dead[60] = True
        return FlatField(
            origin=origin,
            level_grey=level,
            offset=np.full(width, 2, np.float32),
            gain=np.full(width, gain, np.float32),
            learned=~dead,
            dead=dead,
        )

    fields = {"left": learned("left", 1000, 1.0, 100.0), "right": learned("right", 800, 2.0, 140.0)}
    joined = joined_field(shares, fields)
    assert joined is not None
    assert joined.level_grey == 120
    assert joined.gain[[0, 949, 950, 1699]] == pytest.approx([1.2, 1.2, 12 / 7, 12 / 7])
    assert np.flatnonzero(joined.dead).tolist() == [60, 960]
    assert joined.origin.target == "strip"
    half = joined_field(shares, fields | {"right": None})
    assert half is not None
    assert (half.gain[950], half.learned[950], half.origin.target) == (1, False, "white")
    assert joined_field(shares, {"left": None, "right": None}) is None
