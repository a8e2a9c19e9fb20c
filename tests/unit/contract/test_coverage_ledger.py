import pytest

from stripscan.contract.block import LineRange
from stripscan.contract.coverage import CoverageInterval, CoverageStatus, append_interval


def interval(start: int, stop: int, status: str = "inspected", reason: str = ""):
    return CoverageInterval(
        camera="top",
        lines=LineRange(start=start, stop=stop),
        along_start_m=start / 1000,
        along_end_m=stop / 1000,
        status=CoverageStatus(status),
        reason=reason,
    )


def test_equal_neighbours_join():
    assert append_interval([interval(0, 10)], interval(10, 30)) == [interval(0, 30)]


def test_the_same_status_for_another_reason_stays_apart():
    ledger = append_interval(
        [interval(0, 10, "unknown", "black frame")], interval(10, 20, "unknown", "repeated frame")
    )
    assert [i.reason for i in ledger] == ["black frame", "repeated frame"]


@pytest.mark.parametrize("start", [9, 11])
def test_a_gap_or_an_overlap_is_refused(start):
    with pytest.raises(ValueError, match=f"line {start} follows line 10"):
        append_interval([interval(0, 10)], interval(start, 20))


@pytest.mark.parametrize("stop", [10, 9])
def test_an_empty_interval_is_refused(stop):
    with pytest.raises(ValueError, match="empty"):
        append_interval([], interval(10, stop))


def test_the_ledger_given_is_not_changed():
    ledger = [interval(0, 10)]
    append_interval(ledger, interval(10, 20))
    assert ledger == [interval(0, 10)]
