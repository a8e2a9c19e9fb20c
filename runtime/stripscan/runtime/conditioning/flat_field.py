"""The flat field: what each column of a camera must be multiplied with to see even light."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.conditioning.transfer import Transfer

Target = Literal["strip", "white", "dark"]
"""What the camera looked at: running strip, a white target, or a covered lens."""

GAIN_RANGE: Final = (0.2, 5.0)
"""Beyond it there is too little light, or too much, to mend by arithmetic on 8 bits."""

_ROWS = 64  # a table of so many lines stays in the cache; measured by benchmarks/conditioning.py

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a flat field is from.

    Attributes:
        camera: Name of the camera.
        bits: Bits of the camera's grey values.
        transfer: Curve from those bits to 8.
        target: What it looked at.
        source: Where the lines came from, in words.
        learned_at: ISO 8601, UTC.
        lamp_hours: Age of the lamps in hours, where somebody said it.
        blocks: Blocks that were looked at.
        lines: Lines that entered.
        stripscan_version: Version of stripscan that made it.
    """

    camera: str
    bits: int
    transfer: Transfer
    target: Target
    source: str
    learned_at: str
    lamp_hours: float | None
    blocks: int
    lines: int
    stripscan_version: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlatField:
    """Gain and offset of each column: even metal is ``(pixel - offset) * gain``.

    Attributes:
        origin: Where it is from.
        level_grey: Median grey of what it was learned from, once corrected, 0–255; none of a dark
            reference.
        offset: float32 ``[width]``: grey without light, 0 where that was not measured.
        gain: float32 ``[width]``, within ``GAIN_RANGE``. Columns that showed no strip have that of
            the nearest that did: light falls off smoothly, and where the strip wanders a step
            would look like a defect along its edge.
        learned: bool ``[width]``: columns whose gain was measured.
        dead: bool ``[width]``: columns that do not follow the light; their neighbours stand in.
    """

    origin: Origin
    level_grey: float | None
    offset: NDArray[np.float32]
    gain: NDArray[np.float32]
    learned: NDArray[np.bool_]
    dead: NDArray[np.bool_]

    @property
    def width_px(self) -> int:
        """Columns of the camera."""
        return len(self.gain)

    @property
    def digest(self) -> str:
        """64 hex digits that identify it: SHA-256 over its origin and its columns."""
        hours = self.origin.lamp_hours
        told = asdict(self.origin) | {"lamp_hours": None if hours is None else float(hours)}
        digest = hashlib.sha256(repr((told, self.level_grey)).encode())
        for column in (self.offset, self.gain, self.learned, self.dead):
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()


class Flattener:
    """Applies a flat field to lines, in 8 bits.

    OpenCV multiplies bytes with floats, rounds and saturates in one pass; that is a few times as
    fast as whole arrays of floats, or a table of 256 greys for each column.
    """

    def __init__(self, field: FlatField) -> None:
        self._gain = np.repeat(field.gain[None], _ROWS, axis=0)
        lift = field.offset * field.gain
        self._lift = np.repeat(lift[None], _ROWS, axis=0) if lift.any() else None
        self._dead = np.flatnonzero(field.dead)
        alive = np.flatnonzero(~field.dead)
        after = np.searchsorted(alive, self._dead)
        self._left = alive[np.maximum(after - 1, 0)]
        self._right = alive[np.minimum(after, len(alive) - 1)]
        span = np.maximum(self._right - self._left, 1)
        self._share = np.clip((self._dead - self._left) / span, 0, 1).astype(np.float32)

    def apply(self, pixels: Pixels) -> Pixels:
        """Return corrected lines.

        Args:
            pixels: uint8 ``[lines, width]``, as the camera saw them; not changed.

        Returns:
            uint8 ``[lines, width]``; what would leave 0–255 is cut off there.
        """
        even = np.empty(pixels.shape, np.uint8)
        for top in range(0, len(pixels), _ROWS):
            rows, target = pixels[top : top + _ROWS], even[top : top + _ROWS]
            gain = self._gain[: len(rows)]
            if self._lift is None:
                cv2.multiply(rows, gain, dst=target, dtype=cv2.CV_8U)
            else:
                grey = cv2.multiply(rows, gain, dtype=cv2.CV_32F)
                cv2.subtract(grey, self._lift[: len(rows)], dst=target, dtype=cv2.CV_8U)
        self._fill(even)
        return even

    def repaired(self, pixels: Pixels) -> Pixels:
        """Return the lines with dead columns filled in, and otherwise as the camera saw them."""
        if not len(self._dead):
            return pixels
        filled = pixels.copy()
        self._fill(filled)
        return filled

    def _fill(self, pixels: Pixels) -> None:
        if len(self._dead):
            left = pixels[:, self._left].astype(np.float32)
            right = pixels[:, self._right].astype(np.float32)
            pixels[:, self._dead] = np.rint(left + (right - left) * self._share)


def column_ranges(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the runs of marked columns as pairs of the first and the last.

    Example:
        >>> column_ranges(np.array([True, False, True, True]))
        [(0, 0), (2, 3)]
    """
    steps = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    return [(int(a), int(b) - 1) for a, b in steps.reshape(-1, 2)]


def named_columns(marked: NDArray[np.bool_]) -> str:
    """Return marked columns as a person would list them: ``"3, 17–19"``, or ``"none"``."""
    runs = column_ranges(marked)
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs) or "none"
