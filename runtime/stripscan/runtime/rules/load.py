"""Rules with their identity, and where they come from."""

import difflib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from stripscan.contract.classes import DefectClass
from stripscan.contract.errors import ConfigError
from stripscan.runtime.problems import key_lines
from stripscan.runtime.rules.model import RulesFile
from stripscan.runtime.toml_file import parse_toml, text_of

DEFAULT_RULES: Final = "default"
"""What the command line says for the rules that come with stripscan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of a mill as they were read.

    Attributes:
        source: Name of the file as it shall appear in messages.
        text: The whole file.
        file: What it says.
    """

    source: Path
    text: str
    file: RulesFile

    @property
    def sha256(self) -> str:
        """SHA-256 of the text in UTF-8, 64 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.file.name} {self.file.version} ({self.sha256[:12]})"


def load_rules(path: Path | None) -> Rules:
    """Read a rules file, or the rules that come with stripscan where there is no path.

    Raises:
        ConfigError: It cannot be read, is no TOML, or has wrong keys or values. The message has a
            line for each problem, with file, line, key, value, unit and allowed range.
    """
    if path is None:
        text = (files("stripscan.runtime.rules") / "default.toml").read_text("utf-8")
        source = Path("default.toml")
    else:
        text, source = text_of(path, what="rules file"), path
    return Rules(source=source, text=text, file=parse_toml(text, RulesFile, file=source))


def unknown_classes(rules: Rules, classes: Iterable[DefectClass]) -> list[str]:
    """Return a sentence for each class that rules name and a bundle does not have."""
    known = [c.name for c in classes]
    return [
        f"{place}: {name!r} is no class of the bundle; "
        + (f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}")
        for place, name in _named_classes(rules)
        if name not in known
        for near in [difflib.get_close_matches(name, known, n=1)]
    ]


def require_classes(rules: Rules, classes: Iterable[DefectClass]) -> None:
    """Refuse rules for classes that a bundle cannot find: a misspelt one would never apply.

    Raises:
        ConfigError: Rules name a class that is not among ``classes``.
    """
    if problems := unknown_classes(rules, classes):
        raise ConfigError("\n".join(problems))


def _named_classes(rules: Rules) -> Iterator[tuple[str, str]]:
    lines = key_lines(rules.text)
    for table, rows in (("severity", rules.file.severity), ("grade", rules.file.grade)):
        for number, rule in enumerate(rows):
            line = lines.get((table, number, "classes"))
            place = f"{rules.source}:{line}" if line else f"{rules.source}"
            for name in rule.classes:
                yield place, name
