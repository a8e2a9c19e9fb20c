"""The error tree. Foreign errors are mapped to it once, in the adapter that met them.

::

    StripscanError
    ├── ConfigError        a station file or an option is wrong            exit 2
    ├── CommandError       a running station refuses what it was told      exit 2
    ├── DataError          an image, annotation or data set is unusable    exit 2
    ├── BundleError        a bundle is damaged, foreign or unsafe          exit 2
    ├── ParityError        an exported model differs from its checkpoint   exit 1
    ├── GateError          a check that was asked for did not pass         exit 1
    ├── EngineError        inference cannot start or failed                exit 3
    ├── CameraError        a source cannot deliver                         exit 3
    │   ├── CameraLost     it was there and is gone
    │   └── CameraTimeout  it is there and says nothing
    ├── StoreError         the store cannot be read or written             exit 3
    └── MissingPartError   an extra, driver or device is not installed     exit 3
"""

from typing import ClassVar


class StripscanError(Exception):
    """Base of every error that stripscan raises on purpose.

    The message says what was wrong, with the value and its unit, and what to do.
    """

    exit_code: ClassVar[int] = 1


class ConfigError(StripscanError):
    """A station file or a command-line option is wrong."""

    exit_code = 2


class CommandError(StripscanError):
    """A running station does not do what it was told."""

    exit_code = 2


class DataError(StripscanError):
    """An image, an annotation or a data set cannot be used."""

    exit_code = 2


class BundleError(StripscanError):
    """A bundle is damaged, unsafe, or made for another version."""

    exit_code = 2


class ParityError(StripscanError):
    """An exported model does not give the masks of its checkpoint."""

    exit_code = 1


class GateError(StripscanError):
    """A check that the user asked for did not pass."""

    exit_code = 1


class EngineError(StripscanError):
    """Inference cannot start, or failed while running."""

    exit_code = 3


class CameraError(StripscanError):
    """A frame source cannot deliver."""

    exit_code = 3


class CameraLost(CameraError):  # noqa: N818 - the field's word; it is what the operator reads
    """The source was delivering and is gone."""


class CameraTimeout(CameraError):  # noqa: N818 - the field's word
    """The source is reachable and delivers nothing."""


class StoreError(StripscanError):
    """The store cannot be opened, read or written."""

    exit_code = 3


class MissingPartError(StripscanError):
    """An optional package, a driver or a device is not there."""

    exit_code = 3


def missing_extra(extra: str, what: str) -> MissingPartError:
    """Return the error for a command whose optional packages are not installed.

    Args:
        extra: Name of the extra in pyproject.toml, e.g. ``"train"``.
        what: The command or feature that needs it, as the user typed it.
    """
    return MissingPartError(
        f"'{what}' needs packages that are not installed. "
        f"Install them with: pip install 'stripscan[{extra}]'"
    )
