"""Events on their way to the mill, and alarms."""

import sqlalchemy as sa
from alembic import op

from stripscan.runtime.store_types import TEXT, WHOLE

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "outbox",
        sa.Column("position", WHOLE, nullable=False, autoincrement=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("coil", TEXT),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("bytes", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sqlite_strict=True,
    )
    op.create_index("outbox_of_coil", "outbox", ["coil"])
    op.create_table(
        "outbox_cursor",
        sa.Column("sink", TEXT, nullable=False),
        sa.Column("position", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("sink"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outbox_parked",
        sa.Column("sink", TEXT, nullable=False),
        sa.Column("position", WHOLE, nullable=False, autoincrement=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("event", "reason")),
        sa.PrimaryKeyConstraint("sink", "position"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_sequence",
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("last", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("scope"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alarm",
        sa.Column("number", WHOLE, nullable=False, autoincrement=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("coil", TEXT),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("count", WHOLE, nullable=False),
        sa.Column("raised_at", TEXT, nullable=False),
        *(sa.Column(name, TEXT) for name in ("cleared_at", "acknowledged_at", "acknowledged_by")),
        sa.PrimaryKeyConstraint("number"),
        sqlite_strict=True,
    )
