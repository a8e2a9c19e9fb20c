from typing import Literal

import pytest

from stripscan.runtime.overload import Overload
from stripscan.runtime.station_pipeline import PipelineSection


def test_the_gate_goes_on_alone_from_half_a_queue_until_it_is_nearly_empty() -> None:
    overload = Overload(PipelineSection(overload="degrade", queue_blocks=16), live=True)
    waiting = [0, 7, 8, 16, 7, 3, 2, 7, 8, 0]
    told = [overload.review(blocks) for blocks in waiting]
    assert told == [False, False, True, True, True, True, False, False, True, False]
    assert (overload.switches, overload.counts()) == (4, {"gate_only_switches": 4})


def test_the_shortest_queue_switches_as_well() -> None:
    overload = Overload(PipelineSection(overload="degrade", queue_blocks=1), live=True)
    assert [overload.review(blocks) for blocks in (0, 1, 1, 0)] == [False, True, True, False]


@pytest.mark.parametrize(("policy", "live"), [("drop-oldest", True), ("degrade", False)])
def test_other_policies_never_degrade_and_files_are_waited_for(
    policy: Literal["drop-oldest", "degrade"], live: bool
) -> None:
    overload = Overload(PipelineSection(overload=policy, queue_blocks=4), live=live)
    assert not any(overload.review(blocks) for blocks in (4, 4, 0))
    assert overload.counts() == {}
