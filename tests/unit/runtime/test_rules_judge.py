"""Which rule takes which defect, up to the last micrometre."""

import pytest

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.defect import Defect
from stripscan.runtime.rules.judge import SeverityJudge
from unit.runtime.rules_samples import a_defect, rules

CRITICAL = '\nname = "r"\nseverity = "critical"\n'


def judge(text: str) -> SeverityJudge:
    return SeverityJudge(rules(text), NEU_CLASSES)


def fits(condition: str, defect: Defect, *, tail_m: float | None = None) -> bool:
    of = judge(f"[[severity]]{CRITICAL}{condition}\n")
    return of.rule_of(defect, tail_m=tail_m) is not None


@pytest.mark.parametrize(
    ("condition", "inside", "outside"),
    [
        ('classes = ["inclusion", "scratches"]', {}, {"class_name": "patches"}),
        ("min_length_mm = 200", {"length_mm": 200.0}, {"length_mm": 199.999}),
        ("max_length_mm = 200", {"length_mm": 200.0}, {"length_mm": 200.001}),
        ("min_width_mm = 4", {"width_mm": 4.0}, {"width_mm": 3.999}),
        ("max_width_mm = 4", {"width_mm": 4.0}, {"width_mm": 4.001}),
        ("min_area_mm2 = 9.5", {"area_mm2": 9.5}, {"area_mm2": 9.49}),
        ("max_area_mm2 = 9.5", {"area_mm2": 9.5}, {"area_mm2": 9.51}),
        ("min_edge_mm = 30", {"edge_right_mm": 30.0}, {"edge_right_mm": 29.9}),
        ("max_edge_mm = 30", {"edge_right_mm": 30.0}, {"edge_right_mm": 30.1}),
        ("max_edge_mm = 30", {"edge_left_mm": -2.0}, {"edge_left_mm": 30.1}),
        ("min_confidence = 0.5", {"confidence": 0.5}, {"confidence": 0.49}),
        ("max_confidence = 0.5", {"confidence": 0.5}, {"confidence": 0.51}),
        ("trim_mm = 15", {"edge_left_mm": 11.0}, {"edge_left_mm": 11.1}),
        ("trim_mm = 15", {"edge_right_mm": 11.0}, {"edge_right_mm": 1.0, "width_mm": 14.1}),
        ("head_m = 5", {"along_end_m": 5.0}, {"along_start_m": 1.0, "along_end_m": 5.001}),
    ],
)
def test_a_condition_takes_what_is_on_its_limit_and_not_beyond(
    condition: str, inside: dict[str, object], outside: dict[str, object]
) -> None:
    assert fits(condition, a_defect(**inside))
    assert not fits(condition, a_defect(**outside))


def test_a_length_that_is_a_sum_of_pitches_is_on_the_limit() -> None:
    length_mm = (412.2 - 412.0) * 1000
    assert length_mm < 200
    assert fits("min_length_mm = 200", a_defect(length_mm=length_mm))


def test_a_surface_is_that_of_the_defect() -> None:
    assert fits('surface = "bottom"', a_defect(surface="bottom"))
    assert not fits('surface = "bottom"', a_defect(surface="top"))


def test_the_tail_is_known_at_the_end_alone() -> None:
    last, before = a_defect(at_m=95.0), a_defect(at_m=94.999)
    assert not fits("tail_m = 5", last)
    assert fits("tail_m = 5", last, tail_m=100.0)
    assert not fits("tail_m = 5", before, tail_m=100.0)


def test_the_first_rule_that_fits_decides_and_the_class_where_none_does() -> None:
    of = judge(
        '[[severity]]\nname = "trim"\ntrim_mm = 15.0\nseverity = "ignore"\n'
        '[[severity]]\nname = "long"\nclasses = ["scratches"]\nmin_length_mm = 200.0\n'
        'severity = "critical"\n'
    )
    trimmed, long = a_defect(edge_left_mm=2.0), a_defect()
    short, inclusion = a_defect(length_mm=20.0, severity="major"), a_defect(class_name="inclusion")
    assert [of.so_far(d).severity for d in (trimmed, long, short, inclusion)] == [
        "ignore",
        "critical",
        "minor",
        "critical",
    ]
    assert of.why(long, of.rule_of(long)) == "scratches, 250 mm long"
    assert of.why(trimmed, of.rule_of(trimmed)) == "all of it within 6 mm of an edge"
    assert of.why(short, None) == "severity of the class scratches"


def test_a_defect_that_grows_is_judged_again() -> None:
    of = judge(f"[[severity]]{CRITICAL}min_length_mm = 1000\n")
    grown = [of.so_far(a_defect(length_mm=float(mm))).severity for mm in (10, 999, 1000, 300_000)]
    assert grown == ["minor", "minor", "critical", "critical"]
