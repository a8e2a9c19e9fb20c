"""Coils with their defects, masks, pictures and coverage."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

from stripscan.runtime.store_types import BYTES, REAL, TEXT, WHOLE

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _coil()
    _defect()
    _mask_part()
    _picture()
    _coverage()


def _need(kind: sa.types.TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]


def _refers(columns: Iterable[str], targets: Iterable[str]) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        list(columns), list(targets), deferrable=True, initially="DEFERRED"
    )


def _coil() -> None:
    op.create_table(
        "coil",
        *_need(TEXT, "id", "station", "camera", "surface", "started_at"),
        sa.Column("ended_at", TEXT),
        *_need(TEXT, "status"),
        *_need(WHOLE, "width_px"),
        *_need(REAL, "mm_per_px", "mm_per_line"),
        sa.Column("length_m", REAL),
        *_need(TEXT, "bundle_name", "bundle_digest", "classes", "stats"),
        sa.CheckConstraint("status IN ('running', 'complete', 'interrupted', 'failed')"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )


def _defect() -> None:
    op.create_table(
        "defect",
        *_need(TEXT, "coil"),
        *_need(WHOLE, "number"),
        *_need(TEXT, "phase", "class_name"),
        *_need(REAL, "confidence"),
        *_need(TEXT, "class_share", "severity"),
        *_need(REAL, "along_start_m", "along_end_m", "across_left_mm", "across_right_mm"),
        *_need(REAL, "area_mm2", "length_mm", "width_mm", "edge_left_mm", "edge_right_mm"),
        *_need(WHOLE, "first_line", "last_line", "first_px", "last_px", "area_px"),
        _refers(["coil"], ["coil.id"]),
        sa.PrimaryKeyConstraint("coil", "number"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _mask_part() -> None:
    op.create_table(
        "mask_part",
        sa.Column("id", WHOLE, sa.Identity(), nullable=False),
        *_need(TEXT, "coil"),
        *_need(WHOLE, "number"),
        *_need(BYTES, "runs"),
        _refers(["coil", "number"], ["defect.coil", "defect.number"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("mask_part_of_defect", "mask_part", ["coil", "number"])


def _picture() -> None:
    op.create_table(
        "picture",
        *_need(TEXT, "coil"),
        *_need(WHOLE, "number"),
        *_need(BYTES, "image_png"),
        *_need(WHOLE, "first_line", "first_px", "lines", "width"),
        _refers(["coil", "number"], ["defect.coil", "defect.number"]),
        sa.PrimaryKeyConstraint("coil", "number"),
        sqlite_strict=True,
    )


def _coverage() -> None:
    op.create_table(
        "coverage",
        *_need(TEXT, "coil", "camera"),
        *_need(WHOLE, "first_line", "stop_line"),
        *_need(REAL, "along_start_m", "along_end_m"),
        *_need(TEXT, "status", "reason"),
        _refers(["coil"], ["coil.id"]),
        sa.PrimaryKeyConstraint("coil", "camera", "first_line"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
