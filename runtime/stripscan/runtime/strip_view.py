"""Small pictures of the strip that has just passed, for whoever looks on.

The main loop keeps every k-th pixel of each band, and nothing more. What is sent is encoded where
it is asked for, in another thread; while nobody looks nothing is.
"""

import base64
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.coverage import CoverageInterval, CoverageStatus

MAX_PX: Final = 512
"""Widest picture of a band."""

KEPT_BANDS: Final = 64
"""Bands that are remembered, the newest."""

_JPEG_QUALITY: Final = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One band as it is shown.

    Attributes:
        coil: Coil that it belongs to.
        pixels: uint8 ``[rows, columns]``, 0–255, every k-th pixel of the band along and across.
        width_px: Width of the camera's image.
        coverage: What is known of the band's lines; they are the band, without a gap.
    """

    coil: str
    pixels: NDArray[np.uint8]
    width_px: int
    coverage: tuple[CoverageInterval, ...]


class StripView:
    """The last bands of a station; written by the main loop, read by anybody."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[int, Sight], ...] = ()

    def keep(self, sight: Sight) -> None:
        """Remember a band; the oldest is forgotten."""
        number = self._kept[-1][0] + 1 if self._kept else 1
        # Whoever reads holds a tuple that nobody changes.
        self._kept = (*self._kept[1 - KEPT_BANDS :], (number, sight))

    def after(self, number: int) -> list[dict[str, Any]]:
        """Return the bands behind one, from the oldest, as JSON types.

        Args:
            number: The last band that is known; one that is still to come means that the station
                was started again since, so that all are new.
        """
        kept = self._kept
        if kept and number > kept[-1][0]:
            number = 0
        return [_shown(each, sight) for each, sight in kept if each > number]


def thinned(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return every k-th pixel of every k-th line, at most ``MAX_PX`` wide.

    Args:
        pixels: uint8 ``[lines, width]``.

    Returns:
        uint8 ``[lines / k, width / k]``, a copy.

    Example:
        >>> thinned(np.zeros((200, 2048), np.uint8)).shape
        (50, 512)
    """
    step = max(-(-pixels.shape[1] // MAX_PX), 1)
    return pixels[::step, ::step].copy()


def _shown(number: int, sight: Sight) -> dict[str, Any]:
    _, jpeg = cv2.imencode(".jpg", sight.pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    first, last = sight.coverage[0], sight.coverage[-1]
    return {
        "number": number,
        "coil": sight.coil,
        "camera": first.camera,
        "first_line": first.lines.start,
        "stop_line": last.lines.stop,
        "width_px": sight.width_px,
        "along_start_m": round(first.along_start_m, 4),
        "along_end_m": round(last.along_end_m, 4),
        "not_inspected": [
            [each.lines.start, each.lines.stop, str(each.status), each.reason]
            for each in sight.coverage
            if each.status is not CoverageStatus.INSPECTED
        ],
        "jpeg": base64.b64encode(jpeg.tobytes()).decode(),
    }
