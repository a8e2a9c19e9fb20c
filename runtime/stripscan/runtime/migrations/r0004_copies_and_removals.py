"""Which coils were copied where, and which are being removed."""

import sqlalchemy as sa
from alembic import op

from stripscan.runtime.store_types import TEXT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "coil_copy",
        sa.Column("coil", TEXT, nullable=False),
        sa.Column("place", TEXT, nullable=False),
        sa.Column("copied_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["coil"], ["coil.id"], deferrable=True, initially="DEFERRED"),
        sa.PrimaryKeyConstraint("coil", "place"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "coil_removal",
        sa.Column("coil", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["coil"], ["coil.id"], deferrable=True, initially="DEFERRED"),
        sa.PrimaryKeyConstraint("coil"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
