"""Marks of damaged rolls, and the defects that are their prints."""

import sqlalchemy as sa
from alembic import op

from stripscan.runtime.store_types import REAL, TEXT, WHOLE

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "roll_repeat",
        sa.Column("coil", TEXT, nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("phase", "class_name", "rolls")),
        sa.Column("period_mm", REAL, nullable=False),
        sa.Column("diameter_mm", REAL, nullable=False),
        sa.Column("across_mm", REAL, nullable=False),
        sa.Column("first_m", REAL, nullable=False),
        sa.Column("last_m", REAL, nullable=False),
        sa.Column("prints", WHOLE, nullable=False),
        sa.Column("missed", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(["coil"], ["coil.id"], deferrable=True, initially="DEFERRED"),
        sa.PrimaryKeyConstraint("coil", "number"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "roll_print",
        sa.Column("coil", TEXT, nullable=False),
        sa.Column("repeat", WHOLE, nullable=False),
        sa.Column("defect", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["coil", "repeat"],
            ["roll_repeat.coil", "roll_repeat.number"],
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("coil", "repeat", "defect"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
