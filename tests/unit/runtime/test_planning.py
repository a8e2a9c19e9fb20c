import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripscan.contract.errors import ConfigError
from stripscan.runtime.planning import Demand, plan


@pytest.mark.parametrize(
    ("width_mm", "mm_per_px", "m_min", "khz", "mpx_s"),
    [
        (1650, 0.5, 1200, 40, 132),  # hot strip mill, the highest in literature
        (1650, 0.5, 480, 16, 53),  # its run-out
        (1400, 0.25, 180, 12, 67),  # galvanising, process section
        (1000, 0.25, 900, 60, 240),  # tinplate
        (1600, 0.25, 500, 33, 213),  # pickling exit
    ],
)
def test_lines_of_the_trade(
    width_mm: float, mm_per_px: float, m_min: float, khz: int, mpx_s: int
) -> None:
    demand = Demand(width_mm=width_mm, mm_per_px=mm_per_px, speed_m_s=m_min / 60)
    planned = plan(demand, 100.0)
    assert round(planned.line_rate_khz) == khz
    assert round(planned.strip_mpx_s) == mpx_s


def hot_strip(
    *, camera_khz: float | None = None, camera_px: int = 2048, surfaces: int = 2
) -> Demand:
    return Demand(
        width_mm=1650,
        mm_per_px=0.5,
        speed_m_s=20,
        surfaces=surfaces,
        camera_px=camera_px,
        camera_khz=camera_khz,
    )


def test_a_hot_strip_mill_by_hand() -> None:
    planned = plan(hot_strip(camera_khz=26), 250.0)
    assert planned.pixels_across == 3300
    assert (planned.cameras_per_surface, planned.cameras) == (2, 4)
    assert planned.view_mm == 2028  # 2 × 1,024 mm less 20 mm
    assert planned.camera_mpx_s == planned.camera_mb_s == pytest.approx(81.92)
    assert planned.total_mpx_s == pytest.approx(327.68)
    assert planned.link == "GigE"
    assert planned.fastest_m_s == 13
    assert planned.smallest_defect_mm == 1.5
    assert (planned.cameras_per_machine, planned.machines) == (2, 2)  # 250 / (1.5 × 81.92) = 2.03


def test_a_machine_that_is_too_slow_for_one_camera_is_not_multiplied() -> None:
    assert plan(hot_strip(), 122.0).machines is None  # 1.5 × 81.92 = 122.88
    assert plan(hot_strip(), 123.0).machines == 4


@pytest.mark.parametrize(
    ("camera_px", "link"), [(2048, "GigE"), (4096, "5GigE"), (16_384, "10GigE"), (32_768, None)]
)
def test_the_slowest_link_that_carries_the_camera(camera_px: int, link: str | None) -> None:
    assert plan(hot_strip(camera_px=camera_px), 1000.0).link == link


def test_a_strip_that_fits_exactly_takes_one_camera() -> None:
    exact = Demand(width_mm=204.8, mm_per_px=0.1, speed_m_s=1)  # 204.8 / 0.1 is no whole number
    wider = Demand(width_mm=204.9, mm_per_px=0.1, speed_m_s=1)
    assert (plan(exact, 1.0).pixels_across, plan(exact, 1.0).cameras) == (2048, 1)
    assert plan(wider, 1.0).cameras == 2


@given(
    width_mm=st.integers(1, 20_000),
    mm_per_px=st.sampled_from([0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.0]),
    camera_px=st.integers(64, 16_384),
    overlap_px=st.integers(0, 63),
    machine_mpx_s=st.floats(0.1, 5000),
)
def test_the_views_cover_the_strip_and_no_camera_or_machine_is_too_many(
    width_mm: int, mm_per_px: float, camera_px: int, overlap_px: int, machine_mpx_s: float
) -> None:
    demand = Demand(
        width_mm=width_mm,
        mm_per_px=mm_per_px,
        speed_m_s=5,
        camera_px=camera_px,
        overlap_mm=overlap_px * mm_per_px,
    )
    planned = plan(demand, machine_mpx_s)
    assert demand.overlap_px == overlap_px
    assert planned.view_mm >= width_mm - 1e-6
    one_less_mm = planned.view_mm - (camera_px - overlap_px) * mm_per_px
    assert planned.cameras == 1 or one_less_mm < width_mm
    need = planned.camera_mpx_s * 1.5
    if planned.machines is None:
        assert machine_mpx_s < need * (1 + 1e-9)
    else:
        assert math.ceil(planned.cameras / planned.machines) * need <= machine_mpx_s * (1 + 1e-9)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"width_mm": 0}, "--width-mm 0 mm: it must be from 1 to 20000 mm"),
        ({"mm_per_px": -0.5}, "--mm-per-px -0.5 mm: it must be from 0.001 to 100 mm"),
        ({"speed_m_s": math.nan}, "--speed-m-s nan m/s: it must be from 0.01 to 100 m/s"),
        ({"surfaces": 3}, "--surfaces 3: it must be from 1 to 2"),
        ({"camera_khz": 0}, "--camera-khz 0 kHz: it must be from 0.001 to 10000 kHz"),
        ({"overlap_mm": 1024}, "--overlap-mm 1024 mm is 2048 px of --camera-px 2048 px"),
    ],
)
def test_a_wrong_value_is_told_with_its_unit(wrong: dict[str, float], said: str) -> None:
    values = {"width_mm": 1650, "mm_per_px": 0.5, "speed_m_s": 20} | wrong
    with pytest.raises(ConfigError) as caught:
        Demand(**values)  # type: ignore[arg-type]
    assert said in str(caught.value)
