"""The tables of a store as they are now; ``migrations`` says how they came to be so.

References are checked at COMMIT, so a defect and its parts may come in any order.
"""

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from stripscan.runtime.store_types import BYTES, REAL, TEXT, WHOLE

METADATA: Final = sa.MetaData()


def _table(name: str, *parts: sa.schema.SchemaItem, rowid: bool = False) -> sa.Table:
    return sa.Table(name, METADATA, *parts, sqlite_strict=True, sqlite_with_rowid=rowid)


def _need(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True)


def _of_coil(*, key: bool = False) -> sa.Column[Any]:
    coil = sa.ForeignKey("coil.id", deferrable=True, initially="DEFERRED")
    return sa.Column("coil", TEXT, coil, nullable=False, primary_key=key)


def _refers(columns: Iterable[str], table: str, names: Iterable[str]) -> sa.ForeignKeyConstraint:
    targets = [f"{table}.{name}" for name in names]
    return sa.ForeignKeyConstraint(list(columns), targets, deferrable=True, initially="DEFERRED")


COIL: Final = _table(
    "coil",
    _key("id", TEXT),
    _need("station", TEXT),
    _need("camera", TEXT),
    _need("surface", TEXT),
    _need("started_at", TEXT),
    sa.Column("ended_at", TEXT),
    _need("status", TEXT),
    _need("width_px", WHOLE),
    _need("mm_per_px", REAL),
    _need("mm_per_line", REAL),
    sa.Column("length_m", REAL),
    _need("bundle_name", TEXT),
    _need("bundle_digest", TEXT),
    _need("classes", TEXT),
    _need("stats", TEXT),
    # Clocks are set back; the order in which coils ran is not.
    sa.Column("position", WHOLE, nullable=False, server_default=sa.text("0")),
    sa.CheckConstraint("status IN ('running', 'complete', 'interrupted', 'failed')"),
    rowid=True,
)

NEXT_POSITION: Final = sa.select(
    (sa.func.coalesce(sa.func.max(COIL.c.position), 0) + 1).label("position")
)
OLDEST_FIRST: Final = (COIL.c.position, COIL.c.id)

DEFECT: Final = _table(
    "defect",
    _of_coil(key=True),
    _key("number", WHOLE),
    _need("phase", TEXT),
    _need("class_name", TEXT),
    _need("confidence", REAL),
    _need("class_share", TEXT),
    _need("severity", TEXT),
    _need("along_start_m", REAL),
    _need("along_end_m", REAL),
    _need("across_left_mm", REAL),
    _need("across_right_mm", REAL),
    _need("area_mm2", REAL),
    _need("length_mm", REAL),
    _need("width_mm", REAL),
    _need("edge_left_mm", REAL),
    _need("edge_right_mm", REAL),
    _need("first_line", WHOLE),
    _need("last_line", WHOLE),
    _need("first_px", WHOLE),
    _need("last_px", WHOLE),
    _need("area_px", WHOLE),
    sa.Column("surface", TEXT, nullable=False, server_default="top"),
)

MASK_PART: Final = _table(
    "mask_part",
    sa.Column("id", WHOLE, sa.Identity(), primary_key=True),
    _need("coil", TEXT),
    _need("number", WHOLE),
    _need("runs", BYTES),
    _refers(("coil", "number"), "defect", ("coil", "number")),
    sa.Index("mask_part_of_defect", "coil", "number"),
    rowid=True,
)

PICTURE: Final = _table(
    "picture",
    _key("coil", TEXT),
    _key("number", WHOLE),
    _need("image_png", BYTES),
    _need("first_line", WHOLE),
    _need("first_px", WHOLE),
    _need("lines", WHOLE),
    _need("width", WHOLE),
    _refers(("coil", "number"), "defect", ("coil", "number")),
    rowid=True,
)

COVERAGE: Final = _table(
    "coverage",
    _of_coil(key=True),
    _key("camera", TEXT),
    _key("first_line", WHOLE),
    _need("stop_line", WHOLE),
    _need("along_start_m", REAL),
    _need("along_end_m", REAL),
    _need("status", TEXT),
    _need("reason", TEXT),
)

ROLL_REPEAT: Final = _table(
    "roll_repeat",
    _of_coil(key=True),
    _key("number", WHOLE),
    _need("phase", TEXT),
    _need("class_name", TEXT),
    _need("rolls", TEXT),
    _need("period_mm", REAL),
    _need("diameter_mm", REAL),
    _need("across_mm", REAL),
    _need("first_m", REAL),
    _need("last_m", REAL),
    _need("prints", WHOLE),
    _need("missed", WHOLE),
)

# A print refers to its repeat alone: the write that had its defect may have failed.
ROLL_PRINT: Final = _table(
    "roll_print",
    _key("coil", TEXT),
    _key("repeat", WHOLE),
    _key("defect", WHOLE),
    _refers(("coil", "repeat"), "roll_repeat", ("coil", "number")),
)

GRADING: Final = _table(
    "grading",
    sa.Column("id", WHOLE, sa.Identity(), primary_key=True),
    _of_coil(),
    _need("graded_at", TEXT),
    _need("rules_name", TEXT),
    _need("rules_version", TEXT),
    _need("rules_sha256", TEXT),
    _need("rules_text", TEXT),
    _need("grade", TEXT),
    _need("reasons", TEXT),
    sa.CheckConstraint("grade IN ('accept', 'downgrade', 'hold')"),
    sa.Index("grading_of_coil", "coil", "id"),
    rowid=True,
)

COIL_COPY: Final = _table(
    "coil_copy", _of_coil(key=True), _key("place", TEXT), _need("copied_at", TEXT)
)

# A coil is removed in many steps, and must not look clean in between: from the first on, nobody
# sees it any more.
COIL_REMOVAL: Final = _table("coil_removal", _of_coil(key=True))

OUTBOX: Final = _table(
    "outbox",
    sa.Column("position", WHOLE, primary_key=True, autoincrement=False),
    _need("id", TEXT),
    _need("kind", TEXT),
    sa.Column("coil", TEXT),
    _need("event", TEXT),
    _need("bytes", WHOLE),
    sa.Index("outbox_of_coil", "coil"),
    rowid=True,
)

OUTBOX_CURSOR: Final = _table("outbox_cursor", _key("sink", TEXT), _need("position", WHOLE))

OUTBOX_PARKED: Final = _table(
    "outbox_parked",
    _key("sink", TEXT),
    sa.Column("position", WHOLE, primary_key=True, autoincrement=False),
    _need("event", TEXT),
    _need("reason", TEXT),
)

EVENT_SEQUENCE: Final = _table("event_sequence", _key("scope", TEXT), _need("last", WHOLE))

ALARM: Final = _table(
    "alarm",
    sa.Column("number", WHOLE, primary_key=True, autoincrement=False),
    _need("kind", TEXT),
    sa.Column("coil", TEXT),
    _need("reason", TEXT),
    _need("count", WHOLE),
    _need("raised_at", TEXT),
    sa.Column("cleared_at", TEXT),
    sa.Column("acknowledged_at", TEXT),
    sa.Column("acknowledged_by", TEXT),
    rowid=True,
)
