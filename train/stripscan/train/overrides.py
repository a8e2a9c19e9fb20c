"""Options of a recipe by their dotted names, as ``--set data.batch=8``."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from stripscan.contract.errors import ConfigError
from stripscan.train.config import TrainConfig


def overridden(config: TrainConfig, settings: Sequence[str]) -> TrainConfig:
    """Return a configuration with some options changed.

    Args:
        config: The recipe.
        settings: ``NAME=VALUE`` each, with the names of ``config.json``; a value is JSON, or text
            as it stands.

    Raises:
        ConfigError: There is no such option, or the value does not fit it.
    """
    content = config.model_dump(mode="json")
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: write NAME=VALUE, for example data.batch=8")
        *sections, option = name.strip().split(".")
        place = _section(content, sections, setting)
        if option not in place:
            raise ConfigError(_unknown(option, place, setting))
        place[option] = _value(value.strip())
    try:
        return TrainConfig.model_validate(content)
    except ValidationError as error:
        what = error.errors()[0]
        place_of = ".".join(map(str, what["loc"]))
        raise ConfigError(f"--set {place_of}={what['input']}: {what['msg']}") from error


def _section(content: dict[str, Any], sections: Sequence[str], setting: str) -> dict[str, Any]:
    place = content
    for section in sections:
        inner = place.get(section)
        if not isinstance(inner, dict):
            raise ConfigError(_unknown(section, place, setting))
        place = inner
    return place


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _unknown(name: str, place: dict[str, Any], setting: str) -> str:
    return f"--set {setting}: there is no '{name}' here; choose from {', '.join(place)}"
