"""docs/reference/station.md has every key of the station file, with unit, default and example."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stripscan.runtime.station import (
    BundleSection,
    CameraSection,
    InferenceSection,
    ReportSection,
    Station,
    StitchSection,
    TritonSection,
    load_station,
)
from stripscan.runtime.station_control import CoilSection, ControlSection
from stripscan.runtime.station_encoder import EncoderSection
from stripscan.runtime.station_events import (
    AlarmSection,
    ModbusSection,
    MqttSection,
    OutboxSection,
    WebhookSection,
)
from stripscan.runtime.station_genicam import GenicamSource
from stripscan.runtime.station_pipeline import PipelineSection
from stripscan.runtime.station_rolls import RollRepeatSection, RollSection
from stripscan.runtime.station_rules import RulesSection
from stripscan.runtime.station_sources import FolderSource, SimulatorSource, VideoSource
from stripscan.runtime.station_store import StoreSection
from stripscan.runtime.station_view import ViewSection
from stripscan.runtime.station_web import WebSection

PAGE = Path(__file__).parents[3] / "docs/reference/station.md"

SECTIONS: dict[str, type[BaseModel]] = {
    "Top level": Station,
    "[coil]": CoilSection,
    "[store]": StoreSection,
    "[bundle]": BundleSection,
    "[inference]": InferenceSection,
    "[triton]": TritonSection,
    "[camera]": CameraSection,
    "[[view]]": ViewSection,
    "[encoder]": EncoderSection,
    "[stitch]": StitchSection,
    "[report]": ReportSection,
    "[rules]": RulesSection,
    "[control]": ControlSection,
    "[web]": WebSection,
    "[alarm]": AlarmSection,
    "[outbox]": OutboxSection,
    "[mqtt]": MqttSection,
    "[modbus]": ModbusSection,
    "[webhook]": WebhookSection,
    "[[roll]]": RollSection,
    "[roll_repeat]": RollRepeatSection,
    "[pipeline]": PipelineSection,
    '[source] with kind = "folder"': FolderSource,
    '[source] with kind = "video"': VideoSource,
    '[source] with kind = "genicam"': GenicamSource,
    '[source] with kind = "simulator"': SimulatorSource,
}
TABLES = {
    *("coil", "store", "bundle", "inference", "triton", "camera", "stitch", "report", "rules"),
    *("control", "source"),
    "coil",
    "store",
    "bundle",
    "inference",
    "triton",
    "camera",
    "view",
    "encoder",
    "stitch",
    "report",
    "rules",
    "roll",
    "roll_repeat",
    "pipeline",
    "source",
    "web",
    "alarm",
    "outbox",
    "mqtt",
    "modbus",
    "webhook",
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


def unit_of(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra["unit"]) if isinstance(extra, dict) else ""


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {
        key: field
        for key, field in model.model_fields.items()
        if model is not Station or key not in TABLES
    }


@pytest.mark.parametrize(("title", "model"), SECTIONS.items())
def test_every_key_is_there_with_its_unit_and_default(title: str, model: type[BaseModel]) -> None:
    documented, fields = rows(title), keys_of(model)
    assert list(documented) == list(fields)
    for key, row in documented.items():
        assert row["unit"] == unit_of(fields[key]), key
        default = fields[key].default
        if default is PydanticUndefined:
            assert row["default"] == "required", key
        elif default is not None:
            assert row["default"].strip("`") == json.dumps(default, default=str), key


@pytest.mark.parametrize(("title", "model"), SECTIONS.items())
def test_every_example_is_valid(title: str, model: type[BaseModel]) -> None:
    examples = "\n".join(f"{k} = {r['example'].strip('`')}" for k, r in rows(title).items())
    given: dict[str, Any] = tomllib.loads(examples)
    if model is Station:
        given |= {
            "camera": {"mm_per_px": 1, "mm_per_line": 1},
            "source": {"kind": "folder", "path": "a"},
        }
    assert set(model.model_validate(given).model_fields_set) == set(given)


def test_the_page_has_every_table(tmp_path: Path) -> None:
    titles = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert titles == list(SECTIONS)
    tables = set(Station.model_fields) - {"name"}
    assert tables == TABLES
    assert {t.lstrip("[").split("]")[0] for t in titles if t.startswith("[")} == tables


def test_the_example_loads(tmp_path: Path) -> None:
    example = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(example) == 1
    path = tmp_path / "station.toml"
    path.write_text(example[0], encoding="utf-8")
    assert load_station(path).camera.name == "top-1"
