"""What coils were found good for."""

import sqlalchemy as sa
from alembic import op

from stripscan.runtime.store_types import TEXT, WHOLE

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    names = ("graded_at", "rules_name", "rules_version", "rules_sha256", "rules_text", "grade")
    op.create_table(
        "grading",
        sa.Column("id", WHOLE, sa.Identity(), nullable=False),
        sa.Column("coil", TEXT, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in names),
        sa.Column("reasons", TEXT, nullable=False),
        sa.CheckConstraint("grade IN ('accept', 'downgrade', 'hold')"),
        sa.ForeignKeyConstraint(["coil"], ["coil.id"], deferrable=True, initially="DEFERRED"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("grading_of_coil", "grading", ["coil", "id"])
