"""docs/reference/rules.md has every key of the rules file; what is printed there loads."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from stripscan.contract.classes import NEU_CLASSES
from stripscan.runtime.rules.load import load_rules, require_classes
from stripscan.runtime.rules.model import GradeRule, RulesFile, Selection, SeverityRule

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "reference/rules.md"
PRINTED = (PAGE, DOCS / "how-to/grade-coils.md")

SECTIONS: dict[str, tuple[type[BaseModel], set[str]]] = {
    "Top level": (RulesFile, set(RulesFile.model_fields) - {"severity", "grade"}),
    "Conditions": (Selection, set(Selection.model_fields)),
    "[[severity]]": (SeverityRule, set(SeverityRule.model_fields) - set(Selection.model_fields)),
    "[[grade]]": (GradeRule, set(GradeRule.model_fields) - set(Selection.model_fields)),
}


def rows(title: str) -> dict[str, dict[str, str]]:
    """Return the rows of the table below a heading, by key."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {row[0].strip("`"): dict(zip(lines[0], row, strict=True)) for row in lines[2:]}


@pytest.mark.parametrize("title", SECTIONS)
def test_every_key_is_there_with_its_unit_default_and_range(title: str) -> None:
    model, own = SECTIONS[title]
    documented = rows(title)
    assert list(documented) == [key for key in model.model_fields if key in own]
    for key, row in documented.items():
        field = model.model_fields[key]
        extra = field.json_schema_extra
        assert row["unit"] == (extra["unit"] if isinstance(extra, dict) else ""), key
        if field.default is PydanticUndefined:
            assert row["default"] == "required", key
        elif field.default is not None:
            assert row["default"].strip("`") == json.dumps(field.default), key
        bounds = {name: getattr(m, name) for m in field.metadata for name in ("gt", "ge", "le")
                  if getattr(m, name, None) is not None}  # fmt: skip
        if {"gt", "le"} <= set(bounds):
            assert row["range"] == f"above {bounds['gt']:g}, to {bounds['le']:.0f}", key
        elif {"ge", "le"} <= set(bounds):
            most = "10¹²" if bounds["le"] == 1e12 else f"{bounds['le']:.0f}"
            assert row["range"] == f"{bounds['ge']:g} to {most}", key


def test_every_example_is_valid() -> None:
    examples: dict[str, Any] = {
        title: tomllib.loads(
            "\n".join(f"{key} = {row['example'].strip('`')}" for key, row in rows(title).items())
        )
        for title in SECTIONS
    }
    chosen = examples["Conditions"]
    grade = examples["[[grade]]"]
    area = grade.pop("min_area_percent")
    below = grade.pop("inspected_below_percent")
    then = {"grade": grade["grade"], "name": "a"}
    file = examples["Top level"] | {
        "severity": [chosen | examples["[[severity]]"]],
        "grade": [
            chosen | grade,
            then | {"min_area_percent": area},
            then | {"inspected_below_percent": below, "name": "b"},
        ],
    }
    assert len(RulesFile.model_validate(file).grade) == 3


@pytest.mark.parametrize("page", PRINTED, ids=lambda page: page.name)
def test_rules_that_are_printed_load(page: Path, tmp_path: Path) -> None:
    printed = re.findall(r"```toml\n(schema_version.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert len(printed) == 1
    file = tmp_path / "rules.toml"
    file.write_text(printed[0], encoding="utf-8")
    read = load_rules(file)
    require_classes(read, NEU_CLASSES)
    assert read.file.severity
    assert read.file.grade
