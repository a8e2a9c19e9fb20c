"""What makes a coil worse than accepted, with the figures that are told."""

import dataclasses

import pytest

from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.defect import Defect
from stripscan.runtime.coil_extent import CoverageSpan
from stripscan.runtime.rules.grade import CoilFacts, grade_coil
from unit.runtime.rules_samples import a_coil, a_defect, densest, rules


def judged(text: str, *defects: Defect, coil: CoilFacts | None = None) -> tuple[str, list[str]]:
    grade, reasons = grade_coil(rules(text), coil or a_coil(), defects)
    return grade, [reason.text for reason in reasons]


def rule(conditions: str, then: str = "hold") -> str:
    return f'[[grade]]\nname = "r"\n{conditions}\ngrade = "{then}"\n'


def scratches(*at_m: float, **changes: object) -> tuple[Defect, ...]:
    return tuple(a_defect(n, at_m=m, **changes) for n, m in enumerate(at_m, start=1))


def test_a_coil_of_which_no_rule_speaks_is_accepted_and_says_what_was_counted() -> None:
    forgiven = a_defect(3, severity="ignore")
    grade, reasons = judged(rule("min_count = 3"), *scratches(1, 2), forgiven)
    assert grade == "accept"
    assert reasons == [
        "no rule for worse fits: 2 defects counted, 1 ignored, 0 m of 100 m not inspected"
    ]


def test_the_reason_has_the_rule_its_figures_and_the_place() -> None:
    text = rule('classes = ["scratches"]\nmin_length_mm = 200.0\nmin_count = 3\nwindow_m = 10')
    near = scratches(2.0, 50.0, 51.0, 59.75, 80.0)
    assert judged(text, *near) == (
        "hold",
        ["3 defects (scratches, at least 200 mm long) within 10 m at 50 m; the rule asks for 3"],
    )
    assert judged(text, *scratches(2.0, 50.0, 51.0, 60.26, 80.0))[0] == "accept"
    assert judged(text, *scratches(50.0, 51.0, 52.0, length_mm=199.0))[0] == "accept"


def test_defects_on_a_stretch_that_has_both_ends_count() -> None:
    assert densest(scratches(10.0, 20.25), 10.0) == (2, 10.25)  # from the end of the first
    assert densest(scratches(10.0, 20.251), 10.0)[0] == 1
    assert densest(scratches(0.1, 0.2), 1000.0) == (2, 0.1)


def test_a_long_defect_counts_wherever_it_passes() -> None:
    long = dataclasses.replace(a_defect(at_m=0.0), along_end_m=90.0)
    assert densest((long, *scratches(5.0, 60.0, 61.0)), 2.0) == (3, 59.0)


@pytest.mark.parametrize(("limit", "grade"), [("min_count = 2", "hold"), ("min_count = 3", "acc")])
def test_a_count_on_the_coil_takes_its_limit(limit: str, grade: str) -> None:
    text = rule(f'{limit}\nseverities = ["major", "critical"]')
    found = (*scratches(1, 90, severity="critical"), *scratches(2, 3, severity="minor"))
    assert judged(text, *found)[0].startswith(grade)


def test_the_share_of_the_area_counts_from_its_limit_on() -> None:
    # 100 m × 1 m = 10⁸ mm², 0.5 % of it 500,000 mm².
    text = rule("min_area_percent = 0.5", "downgrade")
    grade, reasons = judged(text, *scratches(1, 2, area_mm2=250_000.0))
    assert (grade, reasons) == (
        "downgrade",
        ["2 defects with 0.5 % of the strip's area; the rule asks for 0.5 %"],
    )
    assert judged(text, *scratches(1, 2, area_mm2=249_999.0))[0] == "accept"
    assert judged(text)[0] == "accept"


@pytest.mark.parametrize(
    ("lost_m", "allowed", "below", "grade"),
    [
        (0.0, 0.0, 100, "accept"),
        (0.001, 0.0, 99, "hold"),  # nothing is allowed
        (0.5, 0.5, 99, "accept"),
        (0.5, 0.5, 99.5, "accept"),
        (0.501, 0.5, 99, "hold"),
        (0.501, 1.0, 99.5, "downgrade"),
        (100.0, 99.9, 0.1, "hold"),
    ],
)
def test_strip_that_was_not_inspected_is_never_accepted_silently(
    lost_m: float, allowed: float, below: float, grade: str
) -> None:
    text = f"max_uninspected_percent = {allowed}\n"
    text += rule(f"inspected_below_percent = {below}", "downgrade")
    assert judged(text, coil=a_coil(lost_m=lost_m))[0] == grade


def test_a_hair_that_was_not_inspected_is_told_as_such() -> None:
    text = "max_uninspected_percent = 1\n" + rule("inspected_below_percent = 100", "downgrade")
    assert judged(text, coil=a_coil(lost_m=0.0001)) == (
        "downgrade",
        ["0.0001 % not inspected by the full chain; the rule asks for less than 100 % inspected"],
    )


def test_a_coil_with_a_hole_is_held_though_a_rule_would_downgrade_it() -> None:
    grade, reasons = judged(
        rule("min_count = 1", "downgrade"), a_defect(), coil=a_coil(lost_m=12.5)
    )
    assert grade == "hold"
    assert reasons == [
        "12.5 m of 100 m were not inspected by the full chain, 12.5 %; 0 % are allowed",
        "1 defect on the coil; the rule asks for 1",
    ]


def test_lines_without_a_length_are_a_hole_too() -> None:
    spans = (
        *a_coil().coverage,
        CoverageSpan(camera="cam", start_m=100.0, end_m=100.0, status=CoverageStatus.UNKNOWN),
    )
    assert judged("", coil=a_coil(coverage=spans))[0] == "hold"
    assert judged("", coil=a_coil(coverage=(), length_m=0.0))[0] == "hold"


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_coil_whose_rest_is_not_known_is_held_whatever_is_allowed(status: str) -> None:
    grade, (reason,) = judged("max_uninspected_percent = 100\n", coil=a_coil(status=status))
    assert grade == "hold"
    assert status in reason


def test_only_a_complete_coil_has_a_tail() -> None:
    text = rule("tail_m = 5\nmin_count = 1", "downgrade")
    assert judged(text, a_defect(at_m=99.0))[0] == "downgrade"
    reasons = judged(text, a_defect(at_m=99.0), coil=a_coil(status="interrupted"))[1]
    assert not any("rule asks" in reason for reason in reasons)
