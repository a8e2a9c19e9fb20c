"""A simulated coil on disk: picture blocks, masks and the list of planted defects."""

import json
import logging
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import CLASS_ID
from stripscan.contract.errors import ConfigError, StoreError
from stripscan.simulation.defects import CLASS_NAMES
from stripscan.simulation.strip import SimulatedStrip

_LOG = logging.getLogger(__name__)


def write_frames(
    strip: SimulatedStrip, folder: Path, block_lines: int, *, columns: slice = slice(None)
) -> int:
    """Write the coil as ``block_000000.png`` and on, masks in ``truth/``, and ``truth.json``.

    The pictures are lossless, 8 bit, mono; the last one has the lines that are left. The folder
    appears complete or not at all, also when the writing is interrupted.

    Args:
        strip: The strip.
        folder: A folder that does not exist yet, or is empty.
        block_lines: Lines of a picture, 1–65535.
        columns: What of the strip the camera sees, in its order; the truth counts the strip's.

    Returns:
        How many pictures were written.

    Raises:
        ConfigError: The folder holds something, or the block size is out of range.
        StoreError: The folder cannot be written.
    """
    if not 1 <= block_lines <= 65535:
        raise ConfigError(f"block_lines is {block_lines}: it must be from 1 to 65535 lines")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not an empty folder: name a new one")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
        try:
            count = _write_blocks(strip, part, block_lines, columns)
            truth = json.dumps(_truth(strip, block_lines), indent=2) + "\n"
            (part / "truth.json").write_text(truth, encoding="utf-8")
            part.chmod(0o755)
            part.replace(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}") from error
    _LOG.info("wrote %d pictures of %d lines to %s", count, block_lines, folder)
    return count


def _write_blocks(strip: SimulatedStrip, folder: Path, block_lines: int, columns: slice) -> int:
    (folder / "truth").mkdir()
    starts = range(0, strip.total_lines, block_lines)
    for index, first_line in enumerate(starts):
        lines = min(block_lines, strip.total_lines - first_line)
        block = strip.render(first_line, lines)
        name = f"block_{index:06d}.png"
        (folder / name).write_bytes(_png(block.pixels[:, columns]))
        (folder / "truth" / name).write_bytes(_png(block.mask[:, columns]))
    return len(starts)


def _png(image: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", np.ascontiguousarray(image), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise OSError(f"a picture of {image.shape} px cannot be encoded as PNG")
    return data.tobytes()


def _truth(strip: SimulatedStrip, block_lines: int) -> dict[str, Any]:
    spec = strip.spec
    record = {name: getattr(spec, name) for name in spec.__dataclass_fields__}
    record["defects_per_class"] = {name: spec.defects_of(name) for name in CLASS_NAMES}
    record["strip_width_px"] = spec.strip_px
    record["real_data"] = str(spec.real_data) if spec.real_data is not None else None
    return {
        "spec": record,
        "total_lines": strip.total_lines,
        "block_lines": block_lines,
        "class_ids": {name: CLASS_ID[name] for name in CLASS_NAMES},
        "planted": [asdict(defect) for defect in strip.planted],
    }
