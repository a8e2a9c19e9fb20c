"""In which order coils ran, which were copied where, and which are being removed."""

import sqlalchemy as sa
from alembic import op

from stripscan.runtime.store_types import TEXT, WHOLE

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the column and the tables."""
    op.add_column("coil", sa.Column("position", WHOLE, nullable=False, server_default=sa.text("0")))
    if op.get_bind().dialect.name == "sqlite":  # no other has had a store before
        op.execute("UPDATE coil SET position = rowid")
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
