"""What a store needs of a database, whichever it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from stripscan.contract.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """An open database.

    Attributes:
        name: What it is called in messages; never with a password.
        connection: To it; commits each statement on its own unless a transaction was begun.
        begin_to_write: Statement that begins a transaction that writes.
        begin_to_read: Statement that begins a transaction that sees one moment.
        explain: Says what an error means and what to do.
        close: Closes it, and gives back the right to be the only writer; twice does no harm.
    """

    name: str
    connection: sa.Connection
    begin_to_write: str
    begin_to_read: str
    explain: Callable[[Exception], str]
    close: Callable[[], None]

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the database's errors into ``StoreError`` with its name and what to do.

        Raises:
            StoreError: Whatever the database met inside the block.
        """
        driver = self.connection.dialect.loaded_dbapi.Error
        try:
            with store_errors(self.explain):
                yield
        except driver as error:  # where the driver is asked without SQLAlchemy
            raise StoreError(self.explain(error)) from error

    def roll_back(self) -> None:
        """End a transaction without a trace; no harm where there is none any more."""
        if self.connection.invalidated:  # the server is gone, and the transaction with it
            return
        with self.errors():
            # A full disk may have rolled back already, which the driver knows.
            self.connection.connection.rollback()


@contextmanager
def store_errors(explain: Callable[[Exception], str]) -> Iterator[None]:
    """Turn a database's errors into ``StoreError``.

    Args:
        explain: Says what an error means and what to do.

    Raises:
        StoreError: Whatever the database met inside the block.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise StoreError(explain(error.orig or error)) from error
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(explain(error)) from error
