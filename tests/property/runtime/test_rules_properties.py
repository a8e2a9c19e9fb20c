"""What holds of every coil, however its defects lie."""

import dataclasses
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.defect import Defect
from stripscan.runtime.rules.grade import grade_coil
from stripscan.runtime.rules.judge import SeverityJudge
from stripscan.runtime.rules.model import RulesFile
from stripscan.runtime.rules.tally import CoilTally
from unit.runtime.rules_samples import a_coil, a_defect, densest, rules

WORSE = ["accept", "downgrade", "hold"]
RULES = rules(
    '[[grade]]\nname = "a"\nseverities = ["critical"]\nmin_count = 3\nwindow_m = 5\n'
    'grade = "hold"\n'
    '[[grade]]\nname = "b"\nmin_area_percent = 0.005\ngrade = "hold"\n'
    '[[grade]]\nname = "c"\nclasses = ["scratches"]\nmin_count = 4\ngrade = "downgrade"\n'
    '[[grade]]\nname = "d"\nseverities = ["major"]\nmin_count = 2\nwindow_m = 1\n'
    'grade = "downgrade"\n'
)
# Whole steps of 0.125 m are exact, so that the limits of a stretch are met and not only neared.
steps = st.integers(0, 160).map(lambda n: n / 8)


@st.composite
def defects(draw: st.DrawFn) -> Defect:
    start_m = draw(steps)
    return dataclasses.replace(
        a_defect(),
        along_start_m=start_m,
        along_end_m=start_m + draw(steps),
        class_name=draw(st.sampled_from(["scratches", "inclusion"])),
        severity=draw(st.sampled_from(["ignore", "minor", "major", "critical"])),
        area_mm2=draw(st.floats(0.1, 2000)),
    )


some = st.lists(defects(), max_size=12)
few = st.lists(defects(), min_size=1, max_size=12)
windows = st.sampled_from([0.125, 1.0, 5.0, 7.5])


def touching(found: list[Defect], from_m: float, window_m: float) -> int:
    return sum(d.along_start_m <= from_m + window_m and d.along_end_m >= from_m for d in found)


@given(found=some, order=st.randoms())
def test_the_order_of_defects_does_not_matter(found: list[Defect], order: Random) -> None:
    shuffled = list(found)
    order.shuffle(shuffled)
    assert grade_coil(RULES, a_coil(), shuffled) == grade_coil(RULES, a_coil(), found)


@given(found=some, more=few)
def test_more_defects_never_make_a_coil_better(found: list[Defect], more: list[Defect]) -> None:
    less, _ = grade_coil(RULES, a_coil(), found)
    worse, _ = grade_coil(RULES, a_coil(), found + more)
    assert WORSE.index(worse) >= WORSE.index(less)


@given(found=few, window_m=windows)
def test_no_stretch_has_more_than_the_densest(found: list[Defect], window_m: float) -> None:
    count, at_m = densest(found, window_m)
    assert count == max(touching(found, n / 8, window_m) for n in range(-64, 360))
    assert touching(found, at_m, window_m) == count


@given(found=few, window_m=windows)
def test_a_stretch_has_what_its_halves_have_at_most(found: list[Defect], window_m: float) -> None:
    whole, half = densest(found, window_m)[0], densest(found, window_m / 2)[0]
    assert half <= whole <= 2 * half
    assert densest(found, 1000.0)[0] == len(found)


@given(found=some, lost_m=st.floats(0.001, 99.999))
def test_strip_that_was_not_inspected_is_held_whatever_was_found(
    found: list[Defect], lost_m: float
) -> None:
    assert grade_coil(RULES, a_coil(lost_m=lost_m), found)[0] == "hold"


AT_THE_TAIL = rules(
    '[[severity]]\nname = "crop"\ntail_m = 3\nclasses = ["inclusion"]\nseverity = "ignore"\n'
    '[[severity]]\nname = "end"\ntail_m = 9\nseverity = "critical"\n'
    '[[severity]]\nname = "long"\nmin_length_mm = 2000\nseverity = "major"\n'
    '[[grade]]\nname = "a"\ntail_m = 5\nmin_count = 3\nwindow_m = 1\ngrade = "hold"\n'
    '[[grade]]\nname = "b"\nmin_area_percent = 0.005\ngrade = "downgrade"\n'
    '[[grade]]\nname = "c"\nseverities = ["critical"]\nmin_count = 2\ngrade = "downgrade"\n'
)


@given(
    found=some,
    order=st.randoms(use_true_random=False),
    more_m=steps,
    status=st.sampled_from(["complete", "interrupted"]),
    chosen=st.sampled_from([RULES, AT_THE_TAIL]),
)
def test_what_is_counted_while_a_coil_runs_is_what_is_counted_at_its_end(
    found: list[Defect], order: Random, more_m: float, status: str, chosen: RulesFile
) -> None:
    found = [
        dataclasses.replace(d, number=n, length_mm=1000 * (d.along_end_m - d.along_start_m))
        for n, d in enumerate(found)
    ]
    length_m = max((d.along_end_m for d in found), default=0.0) + more_m
    coil = a_coil(length_m=length_m, status=status)
    judge = SeverityJudge(chosen, NEU_CLASSES)
    judged = [judge.judged(d, judge.rule_of(d, tail_m=coil.tail_m)) for d in found]

    tally = CoilTally(chosen, NEU_CLASSES)
    for defect in sorted(found, key=lambda d: d.along_end_m + order.uniform(0, 2)):
        tally.add(judge.so_far(defect))
        tally.passed(order.uniform(0, 1) * min(defect.along_end_m + 4, length_m))
    verdict = tally.verdict(coil)
    grade, reasons = grade_coil(chosen, coil, judged)
    assert (verdict.grade, verdict.reasons[: len(reasons)]) == (grade, reasons)
    so_far = {d.number: judge.so_far(d).severity for d in found}
    changed = {d.number: d.severity for d in judged if d.severity != so_far[d.number]}
    assert {c.defect.number: c.defect.severity for c in verdict.changes} == changed
    assert verdict.defects == len(found)
