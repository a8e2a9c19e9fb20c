import pytest

from stripscan.dataset.scoring.poisson import at_most, poisson_interval

# Garwood's table to three decimals, as in any table of exact Poisson limits at 95 %.
TABLE = {
    0: (0.000, 3.689),
    1: (0.025, 5.572),
    2: (0.242, 7.225),
    3: (0.619, 8.767),
    5: (1.623, 11.668),
    10: (4.795, 18.390),
    100: (81.364, 121.627),
}


@pytest.mark.parametrize("count", TABLE)
def test_limits_are_those_of_the_tables(count):
    assert poisson_interval(count) == pytest.approx(TABLE[count], abs=6e-4)


@pytest.mark.parametrize("count", [1, 7, 400, 20_000])
def test_at_each_limit_what_was_seen_is_as_unlikely_as_a_tail(count):
    low, high = poisson_interval(count, level=0.9)

    assert 1 - at_most(count - 1, low) == pytest.approx(0.05, abs=1e-6)
    assert at_most(count, high) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(("count", "level"), [(-1, 0.95), (3, 1.0), (3, 0.0)])
def test_what_has_no_interval_is_refused(count, level):
    with pytest.raises(ValueError, match="0 or more"):
        poisson_interval(count, level=level)
