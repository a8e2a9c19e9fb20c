import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripscan.runtime.latency import LatencyHistogram, StageLatency, deadline_ms
from stripscan.runtime.station import CameraSection


def histogram(latencies_ms: list[float]) -> LatencyHistogram:
    counted = LatencyHistogram()
    for latency_ms in latencies_ms:
        counted.add(latency_ms)
    return counted


latencies = st.lists(st.floats(0.011, 1e6), min_size=1, max_size=300)


@given(latencies, st.sampled_from([1, 25, 50, 90, 99, 100]))
def test_percentiles_are_those_of_numpy_or_up_to_2_percent_more(
    latencies_ms: list[float], percent: int
) -> None:
    exact = np.percentile(latencies_ms, percent, method="inverted_cdf")
    found = histogram(latencies_ms).percentile_ms(percent)
    assert found is not None
    assert exact * (1 - 1e-9) <= found <= exact * (1.02 + 1e-9)
    assert found <= max(latencies_ms)


def test_the_largest_is_exact() -> None:
    assert histogram([1.0, 7.25, 3.0]).max_ms == 7.25
    assert histogram([1.0, 7.25, 3.0]).percentile_ms(100) == 7.25


def test_what_is_too_short_to_tell_is_never_more_than_it_was() -> None:
    assert histogram([0.0, 0.001]).percentile_ms(99) == 0.001


def test_nothing_counted_is_no_latency_of_zero() -> None:
    assert LatencyHistogram().max_ms is None
    assert LatencyHistogram().percentile_ms(50) is None


def test_memory_does_not_grow_with_the_coil() -> None:
    random = np.random.default_rng(0)
    counted = histogram(random.lognormal(2, 2, 20_000).tolist())
    assert len(counted._counts) < 1000
    assert counted.percentile_ms(50) == pytest.approx(np.exp(2), rel=0.1)


def test_stages_add_up_and_rows_that_took_too_long_are_counted() -> None:
    latency = StageLatency(30.0)
    for begun_ms, found_ms, stored_ms in [(10, 35, 40), (100, 110, 140), (5, 10, 11)]:
        latency.add(7, *(7 + ms * 10**6 for ms in (begun_ms, found_ms, stored_ms)))
    figures = latency.figures()
    longest = {name: value for name, value in figures.items() if name.endswith("max_ms")}
    assert longest == {
        "latency_max_ms": 140.0,
        "latency_waiting_max_ms": 100.0,
        "latency_inspection_max_ms": 25.0,
        "latency_store_max_ms": 30.0,
    }
    assert figures["latency_waiting_p50_ms"] == pytest.approx(10.0, rel=0.02)
    assert figures["latency_p50_ms"] == latency.p50_ms == pytest.approx(40.0, rel=0.02)
    assert (figures["deadline_ms"], figures["deadline_misses"]) == (30.0, 1)


def test_the_time_for_a_row_follows_from_the_speed() -> None:
    camera = CameraSection(mm_per_px=0.3, mm_per_line=0.5)
    fast = camera.model_copy(update={"top_speed_m_s": 20.0})
    assert deadline_ms(224, fast) == pytest.approx(5.6)
    assert deadline_ms(224, camera) is None
    assert "deadline_misses" not in StageLatency().figures()
