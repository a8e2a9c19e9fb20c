"""TOML files that people write, read into models with every mistake named."""

import re
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from stripscan.contract.errors import ConfigError
from stripscan.runtime.problems import describe

Model = TypeVar("Model", bound=BaseModel)


def text_of(path: Path, *, what: str) -> str:
    """Return the text of a file, without the mark that some editors put before UTF-8.

    Args:
        path: The file.
        what: What it is in messages, e.g. ``"station file"``.

    Raises:
        ConfigError: It cannot be read or is no UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the {what}: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: this is no UTF-8 text: save the file as UTF-8"
        ) from error


def parse_toml(text: str, model: type[Model], *, file: Path) -> Model:
    """Return what the text of a TOML file says.

    Args:
        text: The whole file.
        model: What it is read into.
        file: Name of the file as it shall appear in messages.

    Raises:
        ConfigError: It is no TOML, or has wrong keys or values. The message has a line for each
            problem, with file, line, key, value, unit and allowed range.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = int(place[1]) if place else max(1, len(text.splitlines()))
        said = re.sub(r"\s*\(at [^)]*\)$", "", str(error))
        raise ConfigError(f"{file}:{line}: this is no TOML: {said}") from error
    try:
        return model.model_validate(table)
    except ValidationError as error:
        problems = describe(error, model=model, text=text, file=file)
        raise ConfigError("\n".join(problems)) from error
