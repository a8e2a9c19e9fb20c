"""The version of a store's tables, and the way from an older one to it."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from stripscan.contract.errors import StoreError

_MIGRATIONS: Final = Path(__file__).with_name("migrations")

SCHEMA_VERSION: Final = max(int(path.name[1:5]) for path in _MIGRATIONS.glob("r*.py"))
"""The highest revision; kept in ``alembic_version`` and, by SQLite, in ``PRAGMA user_version``."""


def check_version(name: str, version: int) -> None:
    """Refuse a store that this stripscan does not know.

    Args:
        name: The store, for the message.
        version: Its version.

    Raises:
        StoreError: It is newer.
    """
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{name} has version {version} and this stripscan reads up to {SCHEMA_VERSION}: "
            "upgrade stripscan"
        )


def upgrade(connection: sa.Connection, version: int) -> None:
    """Bring the tables from a version to ``SCHEMA_VERSION``, in the transaction that is open.

    Args:
        connection: To the store.
        version: The version that it has; 0 of an empty database.
    """
    # Only a new or old store needs them, and they take 150 ms to import.
    from alembic.migration import MigrationContext  # noqa: PLC0415
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = ScriptDirectory(str(_MIGRATIONS), version_locations=[str(_MIGRATIONS)])
    context = MigrationContext.configure(connection)
    if version and not context.get_current_heads():  # from before there were migrations
        context.stamp(scripts, f"{version:04}")
    missing = scripts.iterate_revisions("head", f"{version:04}" if version else "base")
    with Operations.context(context):
        for script in reversed(list(missing)):
            script.module.upgrade()
            context.stamp(scripts, script.revision)
