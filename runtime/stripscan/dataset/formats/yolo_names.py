"""The class names of ``data.yaml``, in the ways that YOLO programs write them.

They are read without a YAML library, which nothing else needs: a list or a map of plain or quoted
names, on one line or on a line each. Anything else is refused with its line.
"""

import re
from pathlib import Path
from typing import Final

from stripscan.contract.errors import DataError

_QUOTED = r"'(?:[^']|'')*'|\"[^\"\\]*\""
_ENTRY: Final = re.compile(
    rf"\s*(?:(\d+)\s*:\s+)?({_QUOTED}|[^\s'\"\[\]{{}},#:][^'\"\[\]{{}},#:]*)\s*"
)
_COMMENT: Final = re.compile(r"(^|\s)#.*$")

_Entry = tuple[str | None, str]
"""Number, where there is one, and name."""


def read_names(file: Path) -> tuple[str, ...]:
    """Return the names in the order of their numbers.

    Raises:
        DataError: The file cannot be read, has no ``names``, or they are not written as a list or
            a map from 0 on without a gap.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is no text in UTF-8 ({error.reason})") from error
    lines = [_COMMENT.sub("", line).rstrip() for line in text.splitlines()]
    start = next((i for i, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        raise DataError(f"{file}: there is no 'names', which names the classes")
    inline = lines[start].removeprefix("names:").strip()
    entries = _flow(file, start, inline, lines) if inline else _block(file, start, lines)
    numbers = [int(number) if number is not None else i for i, (number, _) in enumerate(entries)]
    if not entries or sorted(numbers) != list(range(len(entries))):
        raise DataError(
            f"{file}, line {start + 1}: the names must be numbered from 0 without a gap; found "
            f"{', '.join(map(str, numbers)) or 'none'}"
        )
    names = tuple(_unquoted(entries[numbers.index(i)][1]) for i in range(len(entries)))
    if len(set(names)) < len(names):
        raise DataError(f"{file}, line {start + 1}: two classes have the same name")
    return names


def _block(file: Path, start: int, lines: list[str]) -> list[_Entry]:
    """Return the entries of ``names:`` with ``- name`` or ``0: name`` on a line each."""
    entries: list[_Entry] = []
    for number, line in enumerate(lines[start + 1 :], start + 2):
        if not line:
            continue
        if not line.startswith((" ", "- ")):
            break
        entry = line.strip().removeprefix("- ")
        entries.append(_entry(file, number, entry))
    return entries


def _flow(file: Path, start: int, inline: str, lines: list[str]) -> list[_Entry]:
    """Return the entries of ``[a, b]`` or ``{0: a, 1: b}``, which may go on over lines."""
    closing = {"[": "]", "{": "}"}.get(inline[0])
    text = inline
    for line in lines[start + 1 :]:
        if closing is None or text.endswith(closing):
            break
        text += f" {line.strip()}"
    if closing is None or not text.endswith(closing):
        raise _refused(file, start + 1, inline)
    inside = text[1:-1].strip().removesuffix(",")
    parts = re.findall(rf"(?:{_QUOTED}|[^,])+", inside)
    return [_entry(file, start + 1, part) for part in parts]


def _entry(file: Path, number: int, text: str) -> _Entry:
    match = _ENTRY.fullmatch(text)
    if match is None:
        raise _refused(file, number, text)
    return match[1], match[2].strip()


def _refused(file: Path, number: int, text: str) -> DataError:
    return DataError(
        f"{file}, line {number}: '{text.strip()}' cannot be read; write the names as "
        f"names: [first, second]"
    )


def _unquoted(name: str) -> str:
    if name.startswith("'"):
        return name[1:-1].replace("''", "'")
    return name.strip('"')
