"""On which side of the strip each defect lies."""

import sqlalchemy as sa
from alembic import op

from stripscan.runtime.store_types import TEXT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the column; a coil had one camera until now, which saw all its defects."""
    op.add_column("defect", sa.Column("surface", TEXT, nullable=False, server_default="top"))
    op.execute("UPDATE defect SET surface = (SELECT surface FROM coil WHERE coil.id = defect.coil)")
