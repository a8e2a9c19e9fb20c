"""Names of files inside a bundle: relative, POSIX, ASCII, and safe to write anywhere."""

import re
from collections.abc import Collection
from typing import Final

NAME_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$"
"""What a name looks like. No part starts with a dot, so ``..`` and hidden files are out, and
neither backslash, colon, space nor control character can occur."""

MAX_NAME_CHARS: Final = 240
"""Longest name, below the 255 bytes of common file systems."""


def safe_name(name: str) -> str:
    """Return the name unchanged where it cannot lead out of a folder.

    Raises:
        ValueError: It is absolute, climbs with ``..``, or holds other characters than
            letters, digits and ``._+-`` between single slashes.
    """
    if len(name) > MAX_NAME_CHARS:
        raise ValueError(f"the file name {name[:40]!r}… has more than {MAX_NAME_CHARS} characters")
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise ValueError(
            f"{name!r} is no safe file name: use a relative path of letters, digits and ._+- "
            "with single forward slashes, no part starting with a dot"
        )
    return name


def check_distinct(names: Collection[str]) -> None:
    """Check that the files can lie side by side on every file system.

    Raises:
        ValueError: Two names differ in letter case alone, or one is a folder of another.
    """
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            raise ValueError(f"{other!r} and {name!r} differ in letter case alone: rename one")
    for name in names:
        parts = name.lower().split("/")
        for depth in range(1, len(parts)):
            if (parent := "/".join(parts[:depth])) in seen:
                raise ValueError(f"{seen[parent]!r} is a file and a folder of {name!r}: rename one")
