"""What a station tells the mill: one schema for MQTT, webhooks and whatever follows.

Each event is a CloudEvent 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)
in JSON. Receivers pass over keys that they do not know: new ones may come without a new
``schemaversion``.
"""

import json
import sys
from typing import Annotated, Final, Literal
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

EVENT_SCHEMA_VERSION: Final = 1
"""Rises when a receiver must change: a key is gone, or means something else."""

TYPE_PREFIX: Final = "stripscan."


class _Part(BaseModel):
    """A part of an event; numbers are finite, and unknown keys are passed over."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class CoilStarted(_Part):
    """A coil begins under the camera.

    Attributes:
        planned_length_m: Length in m, where it was told.
        planned_width_mm: Width in mm, where it was told.
        surface: Side of the strip that is seen.
        bundle: Name of the bundle that inspects.
        bundle_digest: Digest of its manifest.
    """

    planned_length_m: float | None = None
    planned_width_mm: float | None = None
    surface: str
    bundle: str
    bundle_digest: str


class CoverageMetres(_Part):
    """Length by what is known of it, in m; only ``inspected`` may look clean."""

    inspected: float = 0.0
    degraded: float = 0.0
    dropped: float = 0.0
    unknown: float = 0.0


class CoilEnded(_Part):
    """A coil has passed, or its inspection has broken off.

    Attributes:
        status: ``interrupted`` where somebody or a crash stopped it, ``failed`` where an error did.
        length_m: Length in m, planned strip that never arrived included; none after a crash.
        defects: How many defects it has.
        coverage_m: Its length by what is known of it; each camera counts.
    """

    status: Literal["complete", "interrupted", "failed"]
    length_m: float | None = None
    defects: int
    coverage_m: CoverageMetres


class GradeReason(_Part):
    """One step on the way to a grade; see the rules file.

    Attributes:
        rule: Name of the rule that decided; none where no rule of the file did.
        verdict: A grade of the coil, or a severity of defects.
        text: By which figures, in words.
    """

    rule: str | None = None
    verdict: str
    text: str


class CoilGraded(_Part):
    """What a coil was found good for; the newest counts.

    Attributes:
        grade: From the best to the worst: accept, downgrade, hold.
        rules: Name of the rules.
        rules_version: Their version, as the mill writes it.
        rules_sha256: SHA-256 of the rules file.
        reasons: What decided the grade first.
    """

    grade: Literal["accept", "downgrade", "hold"]
    rules: str
    rules_version: str
    rules_sha256: str
    reasons: tuple[GradeReason, ...]


class DefectState(_Part):
    """A defect as it is known now; the last event with its number counts.

    Attributes:
        number: Number of the defect on the coil, from 1.
        class_name: Class with the largest share.
        severity: Severity by the rules.
        confidence: Mean confidence of the class, 0–1.
        surface: Side of the strip.
        along_start_m: Nearest to the coil's head, in m.
        along_end_m: Farthest from it, in m.
        across_left_mm: Nearest to the left edge as seen in travel direction, in mm.
        across_right_mm: Farthest from it, in mm.
        length_mm: Extent along in mm.
        width_mm: Extent across in mm.
        area_mm2: Area in mm².
        edge_left_mm: Distance to the left edge in mm.
        edge_right_mm: Distance to the right edge in mm.
    """

    number: int
    class_name: str
    severity: str
    confidence: float
    surface: str
    along_start_m: float
    along_end_m: float
    across_left_mm: float
    across_right_mm: float
    length_mm: float
    width_mm: float
    area_mm2: float
    edge_left_mm: float
    edge_right_mm: float


class DefectMerged(_Part):
    """A defect turned out to be part of another, and is no more.

    Attributes:
        number: The one that is gone.
        into: The one that it belongs to.
    """

    number: int
    into: int


class CoverageGap(_Part):
    """Metal that was not fully inspected.

    Attributes:
        camera: Name of the camera.
        first_line: First line, with the camera the gap's name on its coil.
        along_start_m: Its start, in m from the head.
        along_end_m: Its end, in m; with ``new`` how far it reaches so far.
        status: What is known of it.
        reason: Why, in words.
    """

    camera: str
    first_line: int
    along_start_m: float
    along_end_m: float
    status: Literal["degraded", "dropped", "unknown"]
    reason: str


class RollRepeatState(_Part):
    """Marks of a damaged roll; the last event with its number counts.

    Attributes:
        number: Number of the repeat on the coil, from 1.
        class_name: Class of the marks.
        rolls: Rolls that print at this distance; none is a roll that the station does not know.
        period_mm: Mean distance from print to print in mm.
        diameter_mm: Diameter of the roll in mm.
        across_mm: Middle of the marks from the left edge, in mm.
        first_m: First print, in m from the head.
        last_m: Last one so far, in m.
        prints: Turns of the roll that left a mark.
        missed: Turns in between that left none.
    """

    number: int
    class_name: str
    rolls: tuple[str, ...]
    period_mm: float
    diameter_mm: float
    across_mm: float
    first_m: float
    last_m: float
    prints: int
    missed: int


class AlarmState(_Part):
    """An alarm, from its raising until it was both cleared and acknowledged.

    Attributes:
        number: Number of the alarm on the station, from 1.
        alarm: What it is about.
        reason: What raised it, in words.
        count: How often its cause came since it was raised.
        active: Whether its cause lasts.
        acknowledged_by: Who acknowledged it.
    """

    number: int
    alarm: str
    reason: str
    count: int
    active: bool
    acknowledged_by: str | None = None


class StationState(_Part):
    """What the station is doing.

    Attributes:
        state: The state.
        reason: Why, where there is more to say.
    """

    state: Literal["starting", "warming", "ready", "inspecting", "degraded", "stopping"]
    reason: str = ""


class _Envelope(_Part):
    """What all events share.

    Attributes:
        specversion: Version of CloudEvents.
        id: Unique; who has seen it has seen the event.
        source: Which station, as a URI reference.
        subject: The coil, where it is about one.
        time: When it was written to the store, UTC.
        station: Name of the station.
        sequence: Number from 1 within the coil; without a coil, within the station.
        schemaversion: Version of this schema.
        datacontenttype: Media type of ``data``.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(min_length=1)
    source: str
    subject: str | None = None
    time: AwareDatetime
    station: str
    sequence: int = Field(ge=1)
    schemaversion: Literal[1] = EVENT_SCHEMA_VERSION
    datacontenttype: Literal["application/json"] = "application/json"


class CoilStartedEvent(_Envelope):
    """A coil begins."""

    type: Literal["stripscan.coil.started"]
    data: CoilStarted


class CoilEndedEvent(_Envelope):
    """A coil has passed."""

    type: Literal["stripscan.coil.ended"]
    data: CoilEnded


class CoilGradedEvent(_Envelope):
    """A coil was judged."""

    type: Literal["stripscan.coil.graded"]
    data: CoilGraded


class DefectEvent(_Envelope):
    """A defect was found, has grown, has ended, or was judged anew at the coil's end."""

    type: Literal[
        "stripscan.defect.new",
        "stripscan.defect.update",
        "stripscan.defect.end",
        "stripscan.defect.judged",
    ]
    data: DefectState


class DefectMergedEvent(_Envelope):
    """A defect belongs to another."""

    type: Literal["stripscan.defect.merged"]
    data: DefectMerged


class CoverageGapEvent(_Envelope):
    """Metal passes that is not fully inspected, or such metal has passed."""

    type: Literal["stripscan.coverage-gap.new", "stripscan.coverage-gap.end"]
    data: CoverageGap


class RollRepeatEvent(_Envelope):
    """A roll leaves marks."""

    type: Literal[
        "stripscan.roll-repeat.new", "stripscan.roll-repeat.update", "stripscan.roll-repeat.end"
    ]
    data: RollRepeatState


class AlarmEvent(_Envelope):
    """An alarm changes."""

    type: Literal[
        "stripscan.alarm.raised", "stripscan.alarm.cleared", "stripscan.alarm.acknowledged"
    ]
    data: AlarmState


class StationStateEvent(_Envelope):
    """The station changes its state."""

    type: Literal["stripscan.station.state"]
    data: StationState


Event = Annotated[
    CoilStartedEvent
    | CoilEndedEvent
    | CoilGradedEvent
    | DefectEvent
    | DefectMergedEvent
    | CoverageGapEvent
    | RollRepeatEvent
    | AlarmEvent
    | StationStateEvent,
    Field(discriminator="type"),
]

EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)
"""Reads and checks an event."""

EventData = (
    CoilStarted
    | CoilEnded
    | CoilGraded
    | DefectState
    | DefectMerged
    | CoverageGap
    | RollRepeatState
    | AlarmState
    | StationState
)


def source_of(station: str) -> str:
    """Return the ``source`` of a station's events.

    >>> source_of("hot strip mill 1, top")
    '/stripscan/hot%20strip%20mill%201%2C%20top'
    """
    return f"/stripscan/{quote(station, safe='')}"


def event_schema() -> str:
    """Return the JSON schema of an event, as text with a final newline."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Event"}
    schema |= EVENT.json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(event_schema())
