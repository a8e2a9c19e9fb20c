"""A rules file is right, or each mistake in it is named with its line."""

import hashlib
from pathlib import Path

import pytest

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import ConfigError
from stripscan.runtime.rules.load import load_rules, require_classes
from unit.runtime.rules_samples import HEAD, write_rules


def problems(folder: Path, text: str, *, head: str = HEAD) -> list[str]:
    path = folder / "rules.toml"
    path.write_text(head + text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def severity(conditions: str, name: str = "a") -> str:
    return f'[[severity]]\nname = "{name}"\n{conditions}\nseverity = "minor"\n'


def grade(conditions: str, name: str = "a", then: str = "hold") -> str:
    return f'[[grade]]\nname = "{name}"\n{conditions}\ngrade = "{then}"\n'


def test_the_rules_that_come_with_stripscan_have_no_opinion_on_severity() -> None:
    rules = load_rules(None)
    assert rules.file.severity == ()
    assert [rule.grade for rule in rules.file.grade] == ["hold", "downgrade", "downgrade"]
    assert rules.file.max_uninspected_percent == 0
    require_classes(rules, NEU_CLASSES)


def test_rules_have_the_identity_of_their_text(tmp_path: Path) -> None:
    one = write_rules(tmp_path, severity("head_m = 5"))
    same = write_rules(tmp_path, severity("head_m = 5"), "other.toml")
    more = write_rules(tmp_path, severity("head_m = 5.0"))
    assert one.sha256 == hashlib.sha256((tmp_path / "other.toml").read_bytes()).hexdigest()
    assert one.sha256 == same.sha256 != more.sha256
    assert str(one) == f"mill 2026-03 ({one.sha256[:12]})"


def test_all_problems_come_with_line_key_value_unit_and_range(tmp_path: Path) -> None:
    text = (
        severity("min_lenght_mm = 5")  # lines 4 to 7
        + severity("min_length_mm = -1.0", "b")  # 8 to 11
        + grade('severities = ["criticl"]\nmin_count = 0', then="accept")  # 12 to 16
    )
    assert problems(tmp_path, text) == [
        "6: severity[1].min_lenght_mm is not known; did you mean min_length_mm?",
        "10: severity[2].min_length_mm = -1.0: it must be a number in mm, at least 0, "
        "at most 1e+08",
        "14: grade[1].severities: 'criticl' is not known: it may be minor, major, critical",
        "15: grade[1].min_count = 0: it must be a whole number in defects, at least 1",
        '16: grade[1].grade = "accept": it must be one of "downgrade", "hold"',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[severity]\nname = "a"\n', "4: severity must be an array of tables, [[severity]]"),
        ("grade = [3]\n", "4: grade must be an array of tables, [[grade]]"),
        (severity('classes = "scratches"'), "6: severity[1].classes: 'scratches' is no list of"),
        (severity("classes = []"), "6: severity[1].classes: [] is no list of names"),
        (
            severity("min_edge_mm = 9\nmax_edge_mm = 8.5"),
            "4: severity[1]: min_edge_mm = 9 is above max_edge_mm = 8.5: no defect is both",
        ),
        (grade(""), "4: grade[1]: a rule has one of min_count, min_area_percent, inspected_below"),
        (grade("min_count = 1\nmin_area_percent = 1"), "this one has min_count and min_area_perc"),
        (grade("min_area_percent = 1\nwindow_m = 1"), "4: grade[1]: window_m goes with min_count"),
        (
            grade('inspected_below_percent = 99\nclasses = ["a"]'),
            "4: grade[1]: classes chooses defects, and inspected_below_percent counts none",
        ),
        (severity("head_m = 1") * 2, " 2 rules are named 'a': give each a name of its own"),
        (
            severity("") + severity("head_m = 1", "b"),
            " severity rule 'a' has no condition and fits every defect, so that 'b' is never",
        ),
        (
            grade("min_count = 1", then="downgrade") + grade("min_count = 9", "b"),
            " grade rule 'b' holds and stands below 'a', which downgrades and would decide first",
        ),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (found,) = problems(tmp_path, text)
    assert said in found


def test_another_format_and_a_missing_identity_are_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, "", head='schema_version = 2\nname = "a"\n')
    assert found == [
        " version is missing: add text, not empty",
        "1: schema_version = 2: it must be one of 1",
    ]


def test_a_rules_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot read the rules file: No such file"):
        load_rules(tmp_path / "gone.toml")


def test_a_class_that_the_bundle_does_not_have_is_refused_with_its_line(tmp_path: Path) -> None:
    text = severity('classes = ["scratches", "scrathes"]') + grade('min_count = 1\nclasses = ["x"]')
    read = write_rules(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        require_classes(read, NEU_CLASSES)
    first, second = str(caught.value).splitlines()
    assert first.endswith(
        "rules.toml:6: 'scrathes' is no class of the bundle; did you mean 'scratches'?"
    )
    assert "rules.toml:11: 'x' is no class of the bundle; it has crazing, inclusion" in second
