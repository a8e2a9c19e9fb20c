"""The map from their classes to ours."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from stripscan.contract.classes import BACKGROUND, CLASS_ID
from stripscan.contract.errors import ConfigError
from stripscan.dataset.formats.canvas import UNLABELLED
from stripscan.dataset.formats.foreign import ForeignSet
from stripscan.dataset.voc import UNLABELLED_NAME

BACKGROUND_NAME: Final = "background"

TARGETS: Final[Mapping[str, int]] = {
    **CLASS_ID,
    BACKGROUND_NAME: BACKGROUND,
    UNLABELLED_NAME: UNLABELLED,
}
"""What a class of theirs may become: one of ours, sound metal, or pixels of which nothing is
said."""


def parse_map(pairs: Iterable[str]) -> dict[str, str]:
    """Return ``theirs=ours`` as a map.

    Raises:
        ConfigError: There is no ``=``, a class is mapped twice, or ours is no class of ours.
    """
    given: dict[str, str] = {}
    for pair in pairs:
        theirs, equals, ours = (part.strip() for part in pair.rpartition("="))
        if not equals or not theirs:
            raise ConfigError(f"--map {pair}: write it as theirs=ours, e.g. 3=scratches")
        if ours not in TARGETS:
            raise ConfigError(f"--map {pair}: stripscan has no class {_near(ours, list(TARGETS))}")
        if given.get(theirs, ours) != ours:
            raise ConfigError(f"--map: '{theirs}' is both '{given[theirs]}' and '{ours}'")
        given[theirs] = ours
    return given


def resolve(foreign: ForeignSet, given: Mapping[str, str]) -> dict[str, str]:
    """Return what each of their classes becomes; those that nobody maps are unlabelled.

    Raises:
        ConfigError: The user maps a class that the data set does not have.
    """
    for theirs in given:
        if theirs not in foreign.classes:
            raise ConfigError(
                f"--map {theirs}={given[theirs]}: the data set has no class "
                f"{_near(theirs, foreign.classes)}"
            )
    default = {} if given and foreign.replace_default else foreign.default_map
    chosen = {**default, **given}
    return {theirs: chosen.get(theirs, UNLABELLED_NAME) for theirs in foreign.classes}


def known_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that the labels speak of, in the order of their ids; all if none.

    Raises:
        ConfigError: One is no class of ours.
    """
    for name in names:
        if name not in CLASS_ID:
            raise ConfigError(f"--known {name}: stripscan has no class {_near(name, [*CLASS_ID])}")
    return tuple(name for name in CLASS_ID if not names or name in names)


def _near(name: str, valid: Sequence[str]) -> str:
    plain = {option.casefold(): option for option in valid}
    near = difflib.get_close_matches(name.casefold(), plain, n=1)
    hint = f"; did you mean '{plain[near[0]]}'?" if near else "."
    return f"'{name}'{hint} It has {', '.join(valid) or 'none'}"
