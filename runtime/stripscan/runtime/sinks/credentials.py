"""Secrets of sinks: from a file or the environment, never from the station file, never logged."""

import os
from pathlib import Path

from stripscan.contract.errors import ConfigError


def read_secret(path: Path | None, variable: str) -> str | None:
    """Return the secret in a file, or in the environment where no file is named, if any.

    A file of systemd's ``LoadCredential=`` is named by ``$CREDENTIALS_DIRECTORY/…`` as any other.

    Raises:
        ConfigError: The file cannot be read, or is empty.
    """
    if path is None:
        return os.environ.get(variable) or None
    try:
        secret = path.read_text("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read the secret: {error}") from error
    if not secret:
        raise ConfigError(f"{path}: the secret is empty")
    return secret
