from typing import Any

import pytest

from stripscan.contract.errors import ConfigError
from stripscan.simulation.spec import StripSpec


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width_px": 10}, "width_px is 10 px"),
        ({"mm_per_line": 0.0}, "mm_per_line is 0 mm"),
        ({"length_m": -1.0}, "length_m is -1 m"),
        ({"strip_width_px": 1020}, "strip_width_px is 1020 px"),
        ({"wander_px": 400.0}, "wander_px is 400 px"),
        ({"noise": float("nan")}, "noise is nan grey levels"),
        ({"seed": -1}, "seed is -1"),
        ({"speed_m_s": 0.0}, "speed_m_s is 0 m/s"),
        ({"defects_per_class": -2}, "-2 defects"),
        ({"defects_per_class": {"rust": 1}}, "'rust'"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_unit(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StripSpec(**wrong)


def test_speed_ramps_up_holds_and_slows_down() -> None:
    spec = StripSpec(length_m=120, speed_m_s=10)
    speeds = [spec.speed_m_s_at(m) for m in (-5, 0, 6, 12, 60, 108, 114, 120, 125)]
    assert speeds == pytest.approx([3, 3, 6.5, 10, 10, 10, 6.5, 3, 3])


def test_the_strip_takes_92_percent_of_the_view_unless_told() -> None:
    assert StripSpec(width_px=1000).strip_px == 920
    assert StripSpec(width_px=1000, strip_width_px=500).strip_px == 500


def test_a_class_that_is_not_named_gets_no_defects() -> None:
    spec = StripSpec(defects_per_class={"patches": 3})
    assert (spec.defects_of("patches"), spec.defects_of("crazing")) == (3, 0)
