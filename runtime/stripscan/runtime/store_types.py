"""Column types that SQLite and PostgreSQL both have; migrations use them, so they never change."""

from typing import Final

import sqlalchemy as sa

TEXT: Final = sa.Text()
"""Any text."""

WHOLE: Final = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
"""A whole number of 64 bits, such as a line."""

REAL: Final[sa.types.TypeEngine[float]] = sa.REAL().with_variant(
    sa.DOUBLE_PRECISION(), "postgresql"
)
"""A number of 64 bits, IEEE 754."""

BYTES: Final = sa.LargeBinary()
"""Bytes as they are."""
