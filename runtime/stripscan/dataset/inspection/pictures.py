"""Small pictures for the page: images with the outline of their label, and heat maps."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import NEU_CLASSES
from stripscan.dataset.inspection.observe import drawn
from stripscan.dataset.inspection.orientation import turned
from stripscan.dataset.samples import Sample, load

SIDE_PX: Final = 160
"""Longest side of a thumbnail."""

_JPEG_QUALITY = 78
_TOLERANCE_PX = 0.7  # of an outline, in pixels of the thumbnail
_LONGEST_OUTLINE = 6_000  # points of one thumbnail; a mask of noise would fill the page
_HEAT_SCALE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A picture to be put into the page.

    Attributes:
        name: Name of the sample.
        uri: ``data:`` URI of a JPEG.
        width: Width of the image in px, which the outlines are in.
        height: Height of the image in px.
        outlines: Colour and SVG path of each class that the label shows.
    """

    name: str
    uri: str
    width: int
    height: int
    outlines: tuple[tuple[str, str], ...]


def thumbnail(sample: Sample, *, turn: int = 0) -> Thumbnail:
    """Return the thumbnail of a sample, turned as ``orientation.turned`` does.

    Raises:
        DataError: The image or the label cannot be used.
    """
    labelled = load(sample)
    image = np.ascontiguousarray(turned(labelled.image, turn))
    height, width = image.shape
    scale = min(1.0, SIDE_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    layers = drawn(sample, labelled)
    return Thumbnail(
        name=sample.name,
        uri=_uri(small, ".jpg", "image/jpeg"),
        width=width,
        height=height,
        outlines=tuple(
            (c.colour, _outline(turned(layers[c.id - 1], turn), _TOLERANCE_PX / scale))
            for c in NEU_CLASSES
            if layers[c.id - 1].any()
        ),
    )


def heat_map(cells: Sequence[Sequence[float]]) -> str:
    """Return a ``data:`` URI of cells ``[rows][columns]`` >= 0, black to yellow at the largest.

    The colours are cividis, which reads the same with any colour vision (Nuñez et al., 2018).
    """
    heat = np.array(cells, np.float64)
    most = float(heat.max()) or 1.0
    grey = np.rint(heat / most * 255).astype(np.uint8)
    coloured = np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_CIVIDIS), np.uint8)
    large = coloured.repeat(_HEAT_SCALE, axis=0).repeat(_HEAT_SCALE, axis=1)
    return _uri(large, ".png", "image/png")


def _uri(image: NDArray[Any], suffix: str, media_type: str) -> str:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix == ".jpg" else []
    _, data = cv2.imencode(suffix, image, options)
    return f"data:{media_type};base64,{base64.b64encode(data.tobytes()).decode()}"


def _outline(layer: NDArray[np.bool_], tolerance_px: float) -> str:
    contours, _ = cv2.findContours(
        np.ascontiguousarray(layer, np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    paths, points = [], 0
    for contour in sorted(contours, key=len, reverse=True):
        simple = cv2.approxPolyDP(contour, tolerance_px, closed=True).reshape(-1, 2).tolist()
        points += len(simple)
        if points > _LONGEST_OUTLINE:
            break
        # Pixel centres lie half a pixel in.
        paths.append("M" + "L".join(f"{x}.5 {y}.5" for x, y in simple) + "Z")
    return "".join(paths)
