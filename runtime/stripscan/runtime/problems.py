"""What is wrong with a TOML file, said in the words of the person who wrote it."""

import difflib
import json
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]
"""Where a value is, e.g. ``("camera", "mm_per_px")``."""

_PART = r"""(?:"[^"]*"|'[^']*'|[\w\-]+)"""
_HEADER = re.compile(rf"^\s*(\[\[?)\s*(?P<name>{_PART}(?:\s*\.\s*{_PART})*)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(rf"^\s*(?P<key>{_PART}(?:\s*\.\s*{_PART})*)\s*=")
_TYPE_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, of each table header and each key of a TOML document.

    Keys inside inline tables have no entry: look for the key that holds the table.
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    arrays: dict[KeyPath, int] = {}
    closing = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if closing:
            closing = "" if line.count(closing) % 2 else closing
            continue
        if line.lstrip().startswith("#"):
            continue
        if header := _HEADER.match(line):
            table = tuple(_parts(header["name"]))
            lines.setdefault(table, number)
            if header[1] == "[[":
                arrays[table] = arrays.get(table, -1) + 1
                table = (*table, arrays[table])
                lines[table] = number
            else:
                table = _inside(table, arrays)
                lines.setdefault(table, number)
        elif key := _KEY.match(line):
            path = (*table, *_parts(key["key"]))
            for end in range(len(table) + 1, len(path) + 1):
                lines.setdefault(path[:end], number)
        closing = next((q for q in ('"""', "'''") if line.count(q) % 2), "")
    return lines


def _inside(table: KeyPath, arrays: dict[KeyPath, int]) -> KeyPath:
    """Return the path of a table, which lies in the last entry of an array of tables, if in any."""
    path: KeyPath = ()
    for part in table:
        path = (*path, part)
        if path in arrays:
            path = (*path, arrays[path])
    return path


def _parts(dotted: str) -> list[str]:
    """Split a dotted key and take the quotes off its parts."""
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]


def describe(error: ValidationError, *, model: type[BaseModel], text: str, file: Path) -> list[str]:
    """Return one sentence for each problem, in the order of the file.

    Args:
        error: What pydantic found.
        model: The model that the file was read into.
        text: The whole file.
        file: Name of the file as it shall appear.

    Returns:
        ``file:line: key = value: what it must be``, with unit and allowed range; for an unknown
        key, the nearest one that exists.
    """
    lines = key_lines(text)
    found: list[tuple[int, str]] = []
    meant: set[KeyPath] = set()
    details = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    for detail in details:
        owner, field, path = _place(model, detail["loc"])
        if detail["type"] == "extra_forbidden":
            nearest = _nearest(str(path[-1]), owner)
            meant.update([(*path[:-1], nearest)] if nearest else [])
            said = _unknown(path, owner, nearest)
        elif path in meant:
            continue
        else:
            said = _wrong(detail, path, owner, field)
        line = _line_of(path, lines)
        found.append((line, f"{file}:{line}: {said}" if line else f"{file}: {said}"))
    return [said for _, said in sorted(found, key=lambda item: item[0])]


def _line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int:
    """Return the line of a key, or of the nearest table around it, or 0."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 0


def _place(
    model: type[BaseModel], loc: tuple[str | int, ...]
) -> tuple[type[BaseModel], FieldInfo | None, KeyPath]:
    """Return the model that owns a location, its field, and the path without union tags."""
    owner, field = model, None
    path: list[str | int] = []
    rest = iter(loc)
    for part in rest:
        path.append(part)
        field = owner.model_fields.get(str(part))
        members = list(_models_in(field))
        if field is not None and field.discriminator is not None:
            tag = next(rest, None)
            members = [m for m in members if tag in _choices(m.model_fields["kind"])]
        if len(members) == 1 and len(path) < len(loc):
            owner = members[0]
    return owner, field, tuple(path)


def _models_in(field: FieldInfo | None) -> Iterator[type[BaseModel]]:
    """Yield the models that a field may hold, itself or as tables of an array."""
    annotation = field.annotation if field else None
    for held in _members(annotation):
        member = get_args(held)[0] if get_origin(held) is tuple else held
        if isinstance(member, type) and issubclass(member, BaseModel):
            yield member


def _members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union without None, or the annotation itself."""
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(m for m in get_args(annotation) if m is not types.NoneType)
    return (annotation,)


def _choices(field: FieldInfo) -> tuple[Any, ...]:
    """Return the values of a ``Literal`` field, or nothing."""
    return tuple(
        value
        for member in _members(field.annotation)
        if get_origin(member) is Literal
        for value in get_args(member)
    )


def _nearest(key: str, owner: type[BaseModel]) -> str:
    """Return the key that was probably meant, or nothing."""
    return next(iter(difflib.get_close_matches(key.lower(), owner.model_fields, n=1)), "")


def _unknown(path: KeyPath, owner: type[BaseModel], nearest: str) -> str:
    hint = f"did you mean {nearest}?" if nearest else f"it may be {', '.join(owner.model_fields)}"
    return f"{_dotted(path)} is not known; {hint}"


def _wrong(
    detail: ErrorDetails, path: KeyPath, owner: type[BaseModel], field: FieldInfo | None
) -> str:
    """Return what a known key must hold."""
    kind = detail["type"]
    if kind == "missing":
        table = any(_models_in(field))
        what = "add the table" if table else f"add {allowed(field)}" if field else "add it"
        return f"{_dotted(path)} is missing: {what}"
    if kind.startswith("union_tag"):
        tags = ", ".join(
            json.dumps(t) for m in _models_in(field) for t in _choices(m.model_fields["kind"])
        )
        given = detail.get("ctx", {}).get("tag")
        said = f"kind = {json.dumps(given)}" if given else "kind is missing"
        return f"{_dotted((*path, ''))}{said}: it must be one of {tags}"
    if kind == "value_error":
        where = f"{_dotted(path)}: " if path else ""  # a rule of the whole file has no key
        return f"{where}{detail['ctx']['error']}"
    if isinstance(path[-1], int) or (field and get_origin(field.annotation) is tuple):
        tables = _dotted(tuple(part for part in path if isinstance(part, str)))
        return f"{tables} must be an array of tables, [[{tables}]]"
    if field is None or any(_models_in(field)):
        return f"{_dotted(path)} must be a table of its own, [{_dotted(path)}]"
    value = json.dumps(detail["input"], default=str)
    return f"{_dotted(path)} = {value}: it must be {allowed(field)}"


def allowed(field: FieldInfo) -> str:
    """Return what a field may hold, in words: type, unit and range."""
    choices = _choices(field)
    if choices:
        return "one of " + ", ".join(json.dumps(c) for c in choices)
    words = next((_TYPE_WORDS[m] for m in _members(field.annotation) if m in _TYPE_WORDS), "a path")
    extra = field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    bounds = [
        f"{word} {getattr(rule, name):g}"
        for rule in field.metadata
        for name, word in _BOUNDS.items()
        if getattr(rule, name, None) is not None
    ]
    bounds += [
        f"a multiple of {rule.multiple_of}"
        for rule in field.metadata
        if getattr(rule, "multiple_of", None)
    ]
    bounds += ["not empty" for rule in field.metadata if getattr(rule, "min_length", None)]
    return ", ".join([f"{words} in {unit}" if unit else words, *bounds])


def _dotted(path: KeyPath) -> str:
    """Return a path as it is said: tables of an array are counted from 1."""
    parts = (f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")
