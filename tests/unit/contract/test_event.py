import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stripscan.contract.event import EVENT, AlarmState, event_schema, source_of

SCHEMA_FILE = Path(__file__).parents[3] / "docs/reference/event.schema.json"
PAGE = SCHEMA_FILE.with_name("events.md")


def raised(**changes: object) -> dict[str, Any]:
    return {
        "id": "7b0c",
        "source": source_of("hsm 1"),
        "type": "stripscan.alarm.raised",
        "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "station": "hsm 1",
        "sequence": 1,
        "data": AlarmState(number=3, alarm="camera", reason="gone", count=1, active=True),
    } | changes


def test_an_event_is_a_cloud_event_and_survives_its_text() -> None:
    event = EVENT.validate_python(raised())
    text = event.model_dump_json(exclude_none=True)
    assert json.loads(text) == {
        "specversion": "1.0",
        "id": "7b0c",
        "source": "/stripscan/hsm%201",
        "type": "stripscan.alarm.raised",
        "time": "2026-01-02T03:04:05Z",
        "datacontenttype": "application/json",
        "station": "hsm 1",
        "sequence": 1,
        "schemaversion": 1,
        "data": {"number": 3, "alarm": "camera", "reason": "gone", "count": 1, "active": True},
    }
    assert EVENT.validate_json(text) == event


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "stripscan.defect.new"},  # its data are of an alarm
        {"type": "stripscan.alarm.lost"},
        {"time": datetime(2026, 1, 2)},
        {"sequence": 0},
        {"schemaversion": 2},
        {"id": ""},
    ],
)
def test_what_is_no_event_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EVENT.validate_python(raised(**changes))


def test_a_receiver_passes_over_what_it_does_not_know() -> None:
    assert EVENT.validate_python(raised(roll="F7")) == EVENT.validate_python(raised())


def test_the_committed_schema_is_current() -> None:
    command = [sys.executable, "-W", "error", "-m", "stripscan.contract.event"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == event_schema()
    told = "run: python -m stripscan.contract.event > docs/reference/event.schema.json"
    assert SCHEMA_FILE.read_text(encoding="utf-8") == printed, told


def test_the_page_names_every_type() -> None:
    page = PAGE.read_text(encoding="utf-8")
    types = json.loads(event_schema())["discriminator"]["mapping"]
    assert len(types) > 10
    assert [name for name in types if f"`{name.removeprefix('stripscan.')}`" not in page] == []
