"""Optional packages: what is missing is named with the command that installs it."""

from collections.abc import Iterator
from contextlib import contextmanager

from stripscan.contract.errors import missing_extra

_OWN = "stripscan"


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Turn the import error of an optional package into a message with its remedy.

    Args:
        extra: Name of the extra in pyproject.toml.
        what: The command, as the user typed it.

    Raises:
        MissingPartError: A package of the extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == _OWN:
            raise
        raise missing_extra(extra, what) from error
