"""A store in a PostgreSQL database: its opening, its writer's lock, and what its errors mean."""

from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from stripscan.contract.errors import StoreError
from stripscan.runtime.store_backend import Backend, store_errors
from stripscan.runtime.store_schema import SCHEMA_VERSION, check_version, upgrade
from stripscan.terminal.extras import needs_extra

_LOCK: Final = 0x53545253
_DRIVER: Final = "postgresql+psycopg"
_EXAMPLE: Final = "postgresql+psycopg://stripscan@plant-db/stripscan"

# A server that is gone is noticed, and not waited for until TCP gives up after a quarter of an
# hour; https://www.postgresql.org/docs/current/libpq-connect.html.
_PATIENCE: Final = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "application_name": "stripscan",
}


def store_url(text: str) -> sa.URL:
    """Return the URL of a store in PostgreSQL.

    Raises:
        StoreError: It is none, or has a password, which would end up in logs and process lists.
    """
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        # The text is not repeated: it may have a password.
        raise StoreError(f"the store's URL cannot be read: write it like {_EXAMPLE}") from None
    if url.drivername != _DRIVER or not url.database:
        raise StoreError(f"{url.render_as_string()} is no URL of a store: write it like {_EXAMPLE}")
    if url.password is not None or "password" in url.query:
        shown = url.difference_update_query(["password"])  # the other is shown as ***
        raise StoreError(
            f"the URL {shown.render_as_string()} has a password: leave it out, and give it in "
            "PGPASSWORD or in the file that PGPASSFILE names"
        )
    return url


def require_driver(what: str) -> None:
    """Refuse to go on without the package that talks to a server.

    Args:
        what: What needs it, as the user wrote it.

    Raises:
        MissingPartError: It is not installed.
    """
    with needs_extra("postgresql", what):
        sa.make_url(_EXAMPLE).get_dialect().import_dbapi()


def open_postgresql(url: sa.URL, *, readonly: bool, exclusive: bool) -> Backend:
    """Open a store; see ``Store.open``.

    Raises:
        StoreError: The server cannot be reached or refuses, the database is not there, is no
            store, is written to by another stripscan, or has a newer version; or an older one and
            is only to be read.
    """
    name = url.render_as_string()
    explain = partial(_explain, name)
    require_driver(name)
    with store_errors(partial(_explain_refusal, name)):
        connection = _connect(url)
    try:
        with store_errors(explain):
            if not connection.dialect.default_schema_name:
                raise StoreError(
                    f"{name} has no such schema: make it with CREATE SCHEMA, or check its name"
                )
            if exclusive and not readonly:
                _lock(connection, name)
            _bring_up_to_date(connection, name, readonly=readonly)
            if readonly:
                connection.exec_driver_sql("SET default_transaction_read_only = on")
    except BaseException:
        connection.close()
        raise
    return Backend(
        name=name,
        connection=connection,
        begin_to_write="BEGIN",
        begin_to_read="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        explain=explain,
        close=connection.close,
    )


def _connect(url: sa.URL) -> sa.Connection:
    given: dict[str, Any] = {k: v for k, v in _PATIENCE.items() if k not in url.query}
    engine = sa.create_engine(
        url,
        poolclass=sa.NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args=given,
    )
    connection = engine.connect()
    # What is asked here takes less time than to compile it.
    connection.exec_driver_sql("SET lock_timeout = '5s'; SET jit = off")
    return connection


def _lock(connection: sa.Connection, name: str) -> None:
    # Held by the session, so it is gone with the process or the connection.
    taken = sa.func.pg_try_advisory_lock(_LOCK, sa.func.hashtext(sa.func.current_schema()))
    if not connection.scalar(sa.select(taken)):
        raise StoreError(f"{name} is written to by another stripscan: end it, or use another store")


def _bring_up_to_date(connection: sa.Connection, name: str, *, readonly: bool) -> None:
    version = _version(connection, name)
    if version == SCHEMA_VERSION:
        return
    if readonly:
        has = f"has version {version}" if version else "has no coil yet and no tables"
        raise StoreError(
            f"{name} {has} and this stripscan reads version {SCHEMA_VERSION}: "
            "upgrade it with: stripscan store upgrade"
        )
    connection.exec_driver_sql("BEGIN")
    try:
        # Several lines may start at once.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        version = _version(connection, name)
        if version < SCHEMA_VERSION:
            upgrade(connection, version)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.connection.rollback()
        raise


def _version(connection: sa.Connection, name: str) -> int:
    """Return the version of a store, 0 of an empty database."""
    tables = sa.inspect(connection).get_table_names()
    if not tables:
        return 0
    if not {"alembic_version", "coil", "defect"} <= set(tables):
        raise StoreError(
            f"{name} has tables, but is not a stripscan store: check the URL, or make an empty "
            "database"
        )
    version = int(connection.scalar(sa.text("SELECT version_num FROM alembic_version")) or 0)
    check_version(name, version)
    return version


_LOST: Final = (
    "is gone: what was committed is kept; check the server and the network, then start again"
)
_RIGHTS: Final = "cannot be written: check its permissions"
_REASONS: Final = {
    "08": _LOST,
    "25006": _RIGHTS,
    "42501": _RIGHTS,
    "53": "has no room or connection left: free some there; what was committed is kept",
    "55P03": "is locked by another process: end it, or use another store",
    "57014": "took too long and was stopped: check the load of the server",
    "57P": _LOST,
    "58": "cannot be read or written: check the disk of the server",
    "XX": "is damaged: restore it from a backup, or use another store",
}
"""By SQLSTATE or its beginning; https://www.postgresql.org/docs/current/errcodes-appendix.html."""


def _explain_refusal(name: str, error: Exception) -> str:
    # Without a connection there is no SQLSTATE; the text tells which of them it is.
    return (
        f"{name} cannot be opened: check the server and the network, the database, the user, and "
        f"the password in PGPASSWORD or PGPASSFILE ({' '.join(str(error).split())})"
    )


def _explain(name: str, error: Exception) -> str:
    state = getattr(error, "sqlstate", None)
    text = " ".join(str(error).split())
    if state is None:
        misused = isinstance(error, sa.exc.SQLAlchemyError) and not isinstance(
            error, sa.exc.PendingRollbackError
        )
        return f"{name} {'refused what was asked of it' if misused else _LOST} ({text})"
    fitting = (_REASONS[state[:n]] for n in (5, 3, 2) if state[:n] in _REASONS)
    return f"{name} {next(fitting, 'refused what was asked of it')} ({text})"
