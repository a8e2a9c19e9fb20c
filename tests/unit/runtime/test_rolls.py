import math

import numpy as np
import pytest

from stripscan.contract.defect import DefectPhase
from stripscan.runtime.roll_chain import Lane, best_chain
from stripscan.runtime.roll_periods import Roll, RollPeriods
from stripscan.runtime.roll_trail import MAX_DEFECTS, MAX_IN_LANE, Print, RollTrail
from unit.runtime.roll_samples import a_print, a_watch, at_the_end, clutter, defects_at, records

WORK_ROLL = Roll(name="F7", diameter_mm=700, wear_mm=50)
PERIOD_M = math.pi * 0.68


def prints(count: int, *, start_m: float = 200.0, period_m: float = PERIOD_M) -> list[float]:
    return [start_m + turn * period_m for turn in range(count)]


def test_three_prints_on_clean_metal_name_their_roll() -> None:
    said = records(defects_at((x, 400) for x in prints(3)), [WORK_ROLL], finish=False)
    (found,) = said
    assert (found.phase, found.number, found.class_name) == (DefectPhase.NEW, 1, "inclusion")
    assert found.rolls == ("F7",)
    assert found.period_mm == pytest.approx(2136.28, abs=0.01)
    assert found.diameter_mm == pytest.approx(680.0)
    assert (found.prints, found.missed, found.defects) == (3, 0, (1, 2, 3))
    assert found.across_mm == pytest.approx(400)
    assert (found.first_m, found.last_m) == pytest.approx((200.0, 200.0 + 2 * PERIOD_M))


def test_a_repeat_grows_and_ends_when_no_print_has_come_for_eight_turns() -> None:
    watch = a_watch([WORK_ROLL])
    said = []
    for defect in defects_at((x, 400) for x in prints(6)):
        said += watch.push([defect], settled_m=defect.along_end_m)
    last_m = prints(6)[-1]
    assert [(r.phase, r.prints, r.defects) for r in said] == [
        ("new", 3, (1, 2, 3)),
        ("update", 4, (4,)),
        ("update", 5, (5,)),
        ("update", 6, (6,)),
    ]
    assert watch.push([], settled_m=last_m + 8 * PERIOD_M) == ()
    (over,) = watch.push([], settled_m=last_m + 9 * PERIOD_M)
    assert (over.phase, over.prints, over.last_m) == ("end", 6, pytest.approx(last_m))
    assert watch.finish() == ()


def test_a_coil_that_ends_ends_its_repeats() -> None:
    said = records(defects_at((x, 400) for x in prints(3)))
    assert [r.phase for r in said] == ["new", "end"]


def test_without_rolls_the_period_and_the_diameter_are_told() -> None:
    (found,) = at_the_end(records(defects_at((x, 400) for x in prints(5, period_m=math.pi * 0.3))))
    assert found.rolls == ()
    assert found.diameter_mm == pytest.approx(300)


def test_rolls_that_print_at_one_distance_are_both_named() -> None:
    rolls = [
        Roll(name="B", diameter_mm=502),
        Roll(name="A", diameter_mm=250, elongation=2.0),
        Roll(name="C", diameter_mm=560),
    ]
    places = ((x, 400) for x in prints(6, period_m=math.pi * 0.5))
    (found,) = at_the_end(records(defects_at(places), rolls))
    assert found.rolls == ("A", "B")
    assert found.diameter_mm == pytest.approx(250)


def test_missing_prints_are_counted_and_the_period_is_not_doubled() -> None:
    rolls = [
        Roll(name="half", diameter_mm=340),
        Roll(name="true", diameter_mm=680),
        Roll(name="double", diameter_mm=1360),
    ]
    seen = [x for turn, x in enumerate(prints(20)) if turn not in {3, 7, 8, 13}]
    (found,) = at_the_end(records(defects_at((x, 400) for x in seen), rolls))
    assert found.rolls == ("true",)
    assert (found.prints, found.missed) == (16, 4)
    assert found.defects == tuple(range(1, 17))


def test_a_period_that_was_taken_for_its_double_is_put_right() -> None:
    seen = [x for turn, x in enumerate(prints(60)) if turn % 2 == 0 or turn > 12]
    said = records(defects_at((x, 400) for x in seen))
    assert said[0].period_mm == pytest.approx(2000 * PERIOD_M)
    (found,) = at_the_end(said)
    assert found.period_mm == pytest.approx(1000 * PERIOD_M)
    assert (found.prints, found.missed) == (len(seen), 6)
    assert found.defects == tuple(range(1, len(seen) + 1))


def test_slip_and_wander_are_followed() -> None:
    rng = np.random.default_rng(3)
    along = 200 + np.cumsum(PERIOD_M * (1 + rng.normal(0, 0.001, 80)))
    across = 400 + 25 * np.sin(np.arange(80) / 12) + rng.normal(0, 1, 80)
    places = zip((along + rng.normal(0, 0.003, 80)).tolist(), across.tolist(), strict=True)
    (found,) = at_the_end(records(defects_at(places), [WORK_ROLL]))
    assert found.rolls == ("F7",)
    assert found.prints >= 76
    assert found.period_mm == pytest.approx(1000 * PERIOD_M, rel=0.001)


def test_two_marks_of_one_roll_are_two_repeats() -> None:
    places = [(x, 300) for x in prints(8)] + [(x + 0.5, 700) for x in prints(8)]
    found = at_the_end(records(defects_at(places), [WORK_ROLL]))
    assert [(r.rolls, r.prints) for r in found] == [(("F7",), 8), (("F7",), 8)]
    assert [r.across_mm for r in found] == pytest.approx([300, 700])


def test_a_second_mark_half_a_turn_on_does_not_halve_a_known_roll() -> None:
    marks = [
        x for turn, x in enumerate(prints(40, period_m=PERIOD_M / 2)) if not turn % 2 or turn > 9
    ]
    for rolls, expected in (([WORK_ROLL], [(("F7",), 20), (("F7",), 15)]), ([], [((), 35)])):
        found = at_the_end(records(defects_at((x, 400) for x in marks), rolls))
        assert [(r.rolls, r.prints) for r in found] == expected


def test_a_mark_in_two_pieces_is_one_repeat_with_all_its_defects() -> None:
    places = [(x + shift, 400) for x in prints(8) for shift in (0, 0.012)]
    (found,) = at_the_end(records(defects_at(places), [WORK_ROLL]))
    assert found.prints == 8
    assert len(found.defects) >= 12


def test_scratches_other_classes_and_what_has_not_ended_are_no_prints() -> None:
    long = [a_print(i, x, length_mm=400) for i, x in enumerate(prints(8), start=1)]
    assert records(long, [WORK_ROLL]) == []
    classes = ["inclusion", "patches", "crazing"] * 3
    mixed = [
        a_print(i, x, class_name=name)
        for i, (x, name) in enumerate(zip(prints(5), classes, strict=False), start=1)
    ]
    assert records(mixed, [WORK_ROLL]) == []
    growing = [
        a_print(i, x, phase=phase)
        for i, x in enumerate(prints(2), start=1)
        for phase in (DefectPhase.NEW, DefectPhase.UPDATE, DefectPhase.END)
    ]
    assert records(growing, [WORK_ROLL]) == []


def test_defects_at_random_are_no_repeat() -> None:
    for seed in range(4):
        places = clutter(seed, count=400, length_m=300)
        assert records(defects_at(map(tuple, places.tolist())), [WORK_ROLL]) == []
    crowded = clutter(99, count=700, length_m=100) * [1, 0.05]  # all within 50 mm
    assert records(defects_at(map(tuple, crowded.tolist())), [WORK_ROLL]) == []


def test_prints_are_found_among_many_other_defects() -> None:
    places = clutter(1, count=600, length_m=300).tolist()
    marks = [(x, 400.0) for x in prints(20)]
    said = records(defects_at([*map(tuple, places), *marks]), [WORK_ROLL])
    (found,) = at_the_end(said)
    assert found.rolls == ("F7",)
    assert (found.first_m, found.last_m) == pytest.approx((200, marks[-1][0]))
    assert (said[0].phase, said[0].prints + said[0].missed) == ("new", 4)


def test_a_chain_is_weighed_as_by_hand() -> None:
    periods = RollPeriods((), min_diameter_mm=1500, max_diameter_mm=2000)
    # From 4712.39 to 6283.19 mm: 1 + ln(23.8496 / 19.1372) / 0.006 periods.
    assert periods.trials(np.array([5000.0, 4000.0])).tolist() == [
        pytest.approx(37.69, abs=0.01),
        np.inf,
    ]
    places = np.array([100_000.0, 105_000.0])
    lane = Lane(
        anchor_mm=110_000,
        length_mm=10,
        lane_mm=places,
        class_mm=places,
        share=0.02,
        seen_mm=100_000,
    )
    chain = best_chain(lane, periods)
    assert chain is not None
    assert (chain.turns, chain.members) == ((1, 2), (1, 0))
    # 3 defects in 100 m and places of 2 · 20 mm: q = 0.0012; both of 2 places, of weight 1 / 2.
    assert math.exp(chain.log_chance) == pytest.approx(37.69 * 2 * 0.0012**2, rel=1e-3)


def test_known_rolls_share_half_of_the_allowance() -> None:
    alone = RollPeriods((), min_diameter_mm=150, max_diameter_mm=2000)
    with_roll = RollPeriods([WORK_ROLL], min_diameter_mm=150, max_diameter_mm=2000)
    other, known = with_roll.trials(np.array([1000.0, 1000 * PERIOD_M]))
    assert other == pytest.approx(2 * alone.trials(np.array([1000.0]))[0])
    # From 2021.02 to 2221.11 mm: 1 + ln(11.66333 / 11.06306) / 0.006, twice.
    assert known == pytest.approx(19.6, abs=0.05)


def test_a_trail_is_bounded() -> None:
    trail = RollTrail()
    for number in range(MAX_DEFECTS + 50):
        trail.add(Print.of(a_print(number, number / 100)), reach_mm=1e9)
    lane, numbers = trail.lane(Print.of(a_print(10_000, 60.0)))
    assert len(lane.lane_mm) == len(numbers) == MAX_IN_LANE
    assert lane.seen_mm == pytest.approx(60_000 - lane.lane_mm[0])
    wide, _ = trail.lane(Print.of(a_print(10_000, 60.0, across_mm=900)))
    assert len(wide.class_mm) == MAX_DEFECTS
    assert wide.seen_mm == pytest.approx(60_000 - wide.class_mm[0])
