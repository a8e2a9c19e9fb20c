import numpy as np
import pytest

from stripscan.dataset.scoring.tally import (
    Tally,
    by_group,
    percentile_interval,
    resampled_sums,
    widened,
)


def test_counts_come_back_by_name():
    tally = Tally({"one": (), "table": (2, 2)})
    tally.add({"one": 3.0, "table": np.array([[1, 2], [3, 4]])})
    tally.add({"table": np.array([[1, 0], [0, 0]]), "one": 4.0})

    sums = tally.named(tally.rows().sum(axis=0))
    many = tally.named(np.stack([tally.rows()[0]] * 3))

    assert len(tally) == 2
    assert float(sums["one"]) == 7.0
    assert sums["table"].tolist() == [[2, 2], [3, 4]]
    assert many["table"].shape == (3, 2, 2)


@pytest.mark.parametrize("wrong", [{"one": 1.0}, {"one": 1.0, "pair": np.zeros(3)}])
def test_a_row_of_another_shape_is_refused(wrong):
    with pytest.raises(ValueError, match="not"):
        Tally({"one": (), "pair": (2,)}).add(wrong)


def test_groups_are_summed_in_the_order_in_which_they_appear():
    rows = np.array([[1.0], [2.0], [4.0], [8.0]])

    assert by_group(rows, np.array([9, 3, 9, 5])).tolist() == [[5.0], [2.0], [8.0]]


def test_each_resample_has_as_many_sources_and_the_spread_is_that_of_a_mean():
    """The mean of 100 draws of 0 or 1 has the standard deviation 0.05."""
    rows = np.stack([np.ones(100), np.arange(100) % 2], axis=1)

    sums = resampled_sums(rows, resamples=4000)

    assert (sums[:, 0] == 100).all()
    assert sums[:, 1].mean() / 100 == pytest.approx(0.5, abs=0.005)
    assert sums[:, 1].std() / 100 == pytest.approx(0.05, abs=0.003)


def test_an_interval_is_between_percentiles_and_holds_the_estimate():
    values = np.linspace(0, 1, 1001)

    assert percentile_interval(values, 0.5) == pytest.approx((0.025, 0.975))
    assert percentile_interval(values, 0.99) == pytest.approx((0.025, 0.99))
    assert percentile_interval(np.array([np.nan, 0.5, np.nan]), 0.5) == (0.5, 0.5)
    assert percentile_interval(np.array([np.nan]), 0.5) is None


def test_all_or_nothing_is_widened_as_so_many_trials():
    """Clopper and Pearson: 20 hits of 20 are compatible with 0.832 at 95 %."""
    assert widened((1.0, 1.0), 20) == pytest.approx((0.8316, 1.0), abs=1e-4)
    assert widened((0.0, 0.0), 20) == pytest.approx((0.0, 0.1684), abs=1e-4)
    assert widened((0.5, 1.0), 20) == (0.5, 1.0)
