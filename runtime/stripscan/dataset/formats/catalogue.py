"""All formats by name, and which of them a folder is in."""

import difflib
from pathlib import Path
from typing import Final

from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.formats.coco import COCO
from stripscan.dataset.formats.foreign import Format
from stripscan.dataset.formats.masks import MASKS
from stripscan.dataset.formats.neu_family import NEU_FAMILY
from stripscan.dataset.formats.pascal import VOC
from stripscan.dataset.formats.severstal import SEVERSTAL
from stripscan.dataset.formats.yolo import YOLO

AUTO: Final = "auto"

FORMATS: Final = {f.name: f for f in (*NEU_FAMILY, SEVERSTAL, COCO, YOLO, MASKS, VOC)}


def choose_format(source: Path, name: str = AUTO) -> Format:
    """Return the format of that name, or the one that a folder is in.

    Raises:
        ConfigError: There is no such format, or the folder could be in several.
        DataError: The source is not there, or in no known format.
    """
    if name != AUTO and name not in FORMATS:
        near = difflib.get_close_matches(name.lower(), FORMATS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "."
        raise ConfigError(
            f"--format {name}: there is no such format{hint} Valid are {AUTO}, {', '.join(FORMATS)}"
        )
    if not source.exists():
        raise DataError(f"{source}: there is no such folder or file")
    if name != AUTO:
        return FORMATS[name]
    found = [f for f in FORMATS.values() if f.found(source)]
    if not found:
        raise DataError(f"{source}: is in no known format. Known are:\n{layouts()}")
    if len(found) > 1:
        names = " and ".join(f.name for f in found)
        raise ConfigError(f"{source}: looks like {names}; say which with --format")
    return found[0]


def layouts() -> str:
    """Return what lies where in each format, a line each."""
    return "\n".join(f"  {f.name}: {f.layout}" for f in FORMATS.values())
