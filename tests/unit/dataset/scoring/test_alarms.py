import numpy as np
import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.scoring.alarms import alarm_rate, alarms_on_clean
from stripscan.dataset.scoring.defects import DefectRules
from unit.dataset.scoring.scoring_samples import field, seen

RULES = DefectRules(mm_per_px=10.0)


def test_everything_found_on_clean_metal_is_an_alarm():
    """Three images of 40 x 40 px at 10 mm are 0.48 m²."""
    images = [
        field(),
        field((2, slice(0, 10), slice(0, 10)), (6, slice(20, 30), slice(0, 10))),
        field((2, slice(0, 2), slice(0, 2))),
    ]

    rate = alarms_on_clean(seen, images, RULES)

    assert (rate.count, rate.area_m2) == (2, pytest.approx(0.48))
    assert rate.per_m2 == pytest.approx(2 / 0.48)
    assert (rate.low, rate.high) == pytest.approx((0.2422 / 0.48, 7.2247 / 0.48), abs=1e-3)


def test_silence_still_has_an_upper_limit():
    rate = alarms_on_clean(seen, [np.zeros((100, 100), np.uint8)], RULES)

    assert (rate.per_m2, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(3.689, abs=1e-3)


def test_no_metal_has_no_rate():
    assert alarm_rate(0, 0.0) is None
    with pytest.raises(DataError, match="no image of clean metal"):
        alarms_on_clean(seen, [], RULES)
