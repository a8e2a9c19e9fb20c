"""Logging for entry points: one structured line an event, for people or for machines."""

import json
import logging
import math
from datetime import UTC, datetime
from typing import Final

from stripscan.contract.errors import ConfigError

_PLAIN_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""What every record has; all else came with ``extra`` and is part of the event.

What begins with an underscore was put there by a library for itself.
"""

_QUOTED: Final = frozenset(' "=\\')

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

Value = str | int | float | bool | None


def configure_logging(level: str = "INFO", *, as_json: bool = False) -> None:
    """Send log lines to stderr, replacing what an earlier call set up.

    The level counts for stripscan; other packages are heard from WARNING on.

    Args:
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL, in any case.
        as_json: One JSON object a line in place of ``key=value``.

    Raises:
        ConfigError: There is no such level.
    """
    if level.upper() not in _LEVELS:
        raise ConfigError(f"log level '{level}' is unknown: use one of {', '.join(_LEVELS)}")
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h.formatter, LineFormatter)]:
        root.removeHandler(handler)
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(as_json=as_json))
    root.addHandler(handler)
    logging.getLogger("stripscan").setLevel(level.upper())
    logging.captureWarnings(True)


class LineFormatter(logging.Formatter):
    """Formats a record as exactly one line, whatever its message holds.

    Fields are ``time`` (UTC, ISO 8601, ms), ``level``, ``logger``, ``event``, then those given as
    ``extra``, then ``traceback`` where there is one.
    """

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a line end."""
        fields = _fields_of(record)
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        if self._as_json:
            return json.dumps(fields)
        return " ".join(f"{key}={_quoted(value)}" for key, value in fields.items())


def _fields_of(record: logging.LogRecord) -> dict[str, Value]:
    moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
    fields: dict[str, Value] = {
        "time": moment.isoformat(timespec="milliseconds") + "Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": record.getMessage(),
    }
    known = _PLAIN_ATTRIBUTES | set(fields)
    extra = {k: v for k, v in vars(record).items() if k not in known and not k.startswith("_")}
    return fields | {key: _plain(value) for key, value in extra.items()}


def _plain(value: object) -> Value:
    """Return a value that JSON knows; NaN and infinity become text, for JSON has neither."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _quoted(value: Value) -> str:
    """Return the value, as a JSON string where it would break the line or the next field."""
    text = value if isinstance(value, str) else json.dumps(value)
    if text and text.isprintable() and _QUOTED.isdisjoint(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
