"""What a reader of a foreign data set hands over, and what all readers need."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stripscan.contract.classes import CLASS_ID
from stripscan.contract.errors import DataError
from stripscan.dataset.formats.canvas import Canvas
from stripscan.dataset.images import IMAGE_SUFFIXES
from stripscan.dataset.voc import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignImage:
    """One image of a foreign data set with its label; one of the two kinds at least.

    Attributes:
        name: Name of the image in the prepared set, unique in any letter case.
        path: File of the picture.
        paint: Paints the pixel label; None where there is none.
        boxes: Boxes, with their class names; None where the image has no box label.
    """

    name: str
    path: Path
    paint: Callable[[Canvas], None] | None = None
    boxes: tuple[Box, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignSet:
    """A foreign data set.

    Attributes:
        classes: Their class names; of masks, the values as text.
        images: The images, sorted by name.
        default_map: Their class to ours, where that is certain.
        replace_default: A map of the user replaces the default as a whole. Names speak for
            themselves one by one; values of masks do so only together.
        mm_per_px: Size of a pixel in mm, where the data set states it.
        note: What a user must know of this format to map its classes.
    """

    classes: tuple[str, ...]
    images: tuple[ForeignImage, ...]
    default_map: Mapping[str, str] = field(default_factory=dict)
    replace_default: bool = False
    mm_per_px: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A known format.

    Attributes:
        name: What ``--format`` takes.
        layout: What lies where, for messages.
        found: Whether a folder (or file) looks like it.
        read: Reads it, or raises ``DataError`` with file, place and remedy.
    """

    name: str
    layout: str
    found: Callable[[Path], bool]
    read: Callable[[Path], ForeignSet]


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder and the folders below it, sorted, without hidden files.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of images")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def name_images(paths: Sequence[Path]) -> dict[Path, str]:
    """Return a name for each picture: its stem, or its path joined by ``_`` where stems repeat.

    Raises:
        DataError: Two names would still be the same on some file system.

    Example:
        >>> name_images([Path("set/a/1.png"), Path("set/b/1.png")]).values()
        dict_values(['a_1', 'b_1'])
    """
    stems = Counter(path.stem.casefold() for path in paths)
    repeated = any(count > 1 for count in stems.values())
    root = os.path.commonpath([path.parent for path in paths]) if paths else ""
    names: dict[Path, str] = {}
    owner: dict[str, Path] = {}
    for path in paths:
        name = path.stem
        if repeated:
            name = "_".join(path.relative_to(root).with_suffix("").parts)
        if (other := owner.setdefault(name.casefold(), path)) != path:
            raise DataError(f"{path}: would be called '{name}', as {other} is; rename one of them")
        names[path] = name
    return names


def same_names(classes: Sequence[str]) -> dict[str, str]:
    """Return the map of the classes that are called as ours, in whatever spelling.

    Example:
        >>> same_names(["Rolled in Scale", "dent"])
        {'Rolled in Scale': 'rolled-in_scale'}
    """
    ours = {_plain(name): name for name in CLASS_ID}
    return {name: ours[_plain(name)] for name in classes if _plain(name) in ours}


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")
