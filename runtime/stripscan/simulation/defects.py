"""The six defect classes drawn procedurally, each with its exact mask."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import ConfigError
from stripscan.simulation.shapes import blob_distance, cracks, flecks, lens_distance, soft
from stripscan.simulation.texture import Field, cloud, grain

GAIN_ONE = 256
"""Value of ``Sprite.gain_q8`` that leaves a pixel as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprite:
    """A defect apart from the metal that it lies on.

    Attributes:
        gain_q8: uint16 ``[h, w]``, factor on the metal's grey in 1/256.
        mask: uint8 ``[h, w]``, 1 where the defect is, at least one pixel.
    """

    gain_q8: NDArray[np.uint16]
    mask: NDArray[np.uint8]


def random_box(
    class_name: str, rng: np.random.Generator, *, longest_px: int, widest_px: int
) -> tuple[int, int]:
    """Return lines and width of the box to draw a defect in, drawn from the class's sizes.

    Args:
        class_name: Machine name of the class.
        rng: Source of the size.
        longest_px: Limit along the strip in lines.
        widest_px: Limit across in pixels.
    """
    lines, width = _BOXES[class_name](rng)
    return min(lines, longest_px), min(width, widest_px)


def draw_defect(class_name: str, rng: np.random.Generator, lines: int, width: int) -> Sprite:
    """Draw one defect that lies in a box and mostly fills it.

    Args:
        class_name: Machine name of the class.
        rng: Source of the shape.
        lines: Height of the box, at least 12.
        width: Width of the box, at least 6.

    Raises:
        ConfigError: The class is unknown, or the box is too small to show a defect.
    """
    if class_name not in _DRAW:
        raise ConfigError(f"no defect class {class_name!r}: choose from {', '.join(_DRAW)}")
    if lines < 12 or width < 6:
        raise ConfigError(f"a box of {lines} x {width} px is too small: give 12 x 6 px or more")
    gain, mask = _DRAW[class_name](rng, lines, width)
    return sprite_of(gain, mask)


def sprite_of(gain: Field, mask: NDArray[np.bool_]) -> Sprite:
    """Return the sprite of a gain around 1 and a mask, which gets a pixel where it has none."""
    if not mask.any():
        mask = mask.copy()
        mask[mask.shape[0] // 2, mask.shape[1] // 2] = True
    gain_q8 = np.clip(gain * GAIN_ONE + 0.5, 0, 16 * GAIN_ONE).astype(np.uint16)
    return Sprite(gain_q8=gain_q8, mask=mask.view(np.uint8))


_Drawn = tuple[Field, NDArray[np.bool_]]


def _region(rng: np.random.Generator, lines: int, width: int) -> Field:
    return blob_distance(
        rng, lines, width, roundness=float(rng.uniform(2.5, 5)), wobble=float(rng.uniform(0, 0.5))
    )


def _crazing(rng: np.random.Generator, lines: int, width: int) -> _Drawn:
    region = _region(rng, lines, width)
    count = max(6, int(lines * width / 550 * rng.uniform(0.6, 1.5)))
    depth = cracks(rng, lines, width, count, length_px=float(rng.uniform(22, 45)))
    dark = depth.astype(np.float32) * np.float32(rng.uniform(0.4, 0.75) / 255)
    dark *= np.clip(0.75 + 0.4 * cloud(rng, lines, width, 7), 0.25, 1.2)
    if rng.random() < 0.5:
        blotches = flecks(
            rng,
            lines,
            width,
            max(2, lines * width // 5000),
            half_along_px=(1.5, 8),
            half_across_px=(1, 4),
            tilt_deg=20,
            gather=0.3,
        )
        dark = np.maximum(dark, blotches.astype(np.float32) * np.float32(0.6 / 255))
    dark = np.asarray(cv2.GaussianBlur(dark, (0, 0), float(rng.uniform(0.45, 0.7))), np.float32)
    rough = grain(rng, lines, width, along_px=0.7, across_px=0.8)
    rough *= np.float32(rng.uniform(0.02, 0.08))
    return 1 + soft(region, 8) * -dark + soft(region - 4, 30) * rough, region >= 0


def _inclusion(rng: np.random.Generator, lines: int, width: int) -> _Drawn:
    dark = np.zeros((lines, width), np.float32)
    mask = np.zeros((lines, width), np.bool_)
    depth = rng.uniform(0.2, 0.55)
    border = float(rng.uniform(1.2, 2.5))
    parts = 1 if rng.random() < 0.35 else int(rng.integers(2, 3 + max(1, lines * width // 2500)))
    for part in range(min(parts, 9)):
        share = 0.5 if part == 0 else float(rng.uniform(0.12, 0.35))
        half_length = max(5.0, (lines - 2) * share)
        widest = width * (0.42 if parts == 1 else 0.25)
        half_width = float(np.clip(half_length * rng.uniform(0.06, 0.22), 1.6, widest))
        room = max(0.0, lines / 2 - half_length)
        across = 0.0 if part == 0 and parts == 1 else max(0.0, width / 2 - half_width - 1) * 0.8
        centre = (lines / 2 + rng.uniform(-room, room), width / 2 + rng.uniform(-across, across))
        distance = lens_distance(
            rng, lines, width, centre=centre, half_length_px=half_length, half_width_px=half_width
        )
        inside = soft(distance, border)
        dark = np.maximum(dark, inside * np.float32(depth * rng.uniform(0.75, 1.1)))
        mask |= inside >= 0.5
    dark *= 1 + 0.1 * cloud(rng, lines, width, 6)
    return 1 - dark, mask


def _patches(rng: np.random.Generator, lines: int, width: int) -> _Drawn:
    distance = blob_distance(rng, lines, width, roundness=2, wobble=float(rng.uniform(0.3, 0.8)))
    ragged = grain(rng, lines, width, along_px=1.4, across_px=1.2)
    distance += ragged * np.float32(rng.uniform(0.4, 1.4))
    distance += cloud(rng, lines, width, 8) * np.float32(min(1.8, min(lines, width) / 30))
    distance = _largest(distance)
    core = np.clip(distance / np.float32(0.25 * min(lines, width)), 0, 1)
    depth = np.float32(rng.uniform(0.35, 0.68))
    speckle = grain(rng, lines, width, along_px=0.9, across_px=0.8)
    inner = depth * (1 - np.float32(rng.uniform(0, 0.3)) * core) - np.float32(0.06) * speckle
    return 1 - inner * soft(distance, float(rng.uniform(2, 5))), distance >= 0


def _largest(distance: Field) -> Field:
    """Push all that is apart from the largest piece outside, so that one patch is one piece."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((distance >= 0).view(np.uint8))
    if len(stats) == 1:
        return distance
    largest = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    near = cv2.dilate(largest.view(np.uint8), np.ones((7, 7), np.uint8)) == 1
    kept = np.where(near & ((distance < 0) | largest), distance, np.float32(-9))
    return np.asarray(kept, np.float32)


def _pitted(rng: np.random.Generator, lines: int, width: int) -> _Drawn:
    region = _region(rng, lines, width)
    strength = np.float32(rng.uniform(0.25, 0.55))
    if rng.random() < 0.55:
        size = float(rng.uniform(1.0, 1.7))
        pits = grain(rng, lines, width, along_px=size * 1.25, across_px=size)
        level = np.float32(rng.uniform(0.3, 1.1))
        dark = np.clip((pits - level) * np.float32(1.6), 0, 1)
    else:
        spots = flecks(
            rng,
            lines,
            width,
            max(8, int(lines * width / rng.uniform(40, 130))),
            half_along_px=(0.8, 3.4),
            half_across_px=(0.7, 2.2),
            tilt_deg=25,
            gather=float(rng.uniform(-2.5, -0.8)),
        )
        dark = cv2.GaussianBlur(spots.astype(np.float32) / 255, (0, 0), 0.7)
    shade = np.float32(rng.uniform(0, 0.07)) * cloud(rng, lines, width, 40)
    return 1 + soft(region, 8) * (shade - strength * dark), region >= 0


def _rolled_in_scale(rng: np.random.Generator, lines: int, width: int) -> _Drawn:
    region = _region(rng, lines, width)
    marks = flecks(
        rng,
        lines,
        width,
        max(10, int(lines * width / rng.uniform(110, 260))),
        half_along_px=(0.8, 3.2),
        half_across_px=(1.8, 7.5),
        tilt_deg=18,
        gather=float(rng.uniform(-0.8, 0.5)),
    )
    dark = cv2.GaussianBlur(marks.astype(np.float32) / 255, (0, 0), 0.8)
    dark *= np.clip(0.85 + 0.35 * cloud(rng, lines, width, 3), 0.2, 1.3)
    lip = np.roll(dark, 3, axis=0)
    lip[:3] = 0
    rough = grain(rng, lines, width, along_px=0.7, across_px=2.5, slope=float(rng.normal(0, 0.15)))
    rough *= np.float32(rng.uniform(0.03, 0.08))
    halo = np.float32(rng.uniform(0, 0.12))
    relief = np.float32(rng.uniform(0.05, 0.3)) * np.maximum(lip - dark, 0)
    strength = np.float32(rng.uniform(0.3, 0.6))
    marked = soft(region, 10) * (relief - strength * dark)
    return 1 + marked + soft(region - 5, 35) * (rough - halo), region >= 0


def _scratches(rng: np.random.Generator, lines: int, width: int) -> _Drawn:
    if width > lines:
        gain, mask = _scratches(rng, width, lines)
        return np.ascontiguousarray(gain.T), np.ascontiguousarray(mask.T)
    gain = np.ones((lines, width), np.float32)
    mask = np.zeros((lines, width), np.bool_)
    strength = rng.uniform(0.6, 2.2)
    slant = rng.uniform(-0.5, 0.5) * width if rng.random() < 0.5 else rng.uniform(-1, 1)
    count = 1 if width < 10 else int(rng.integers(1, 2 + min(4, width // 8)))
    for number in range(count):
        broad = number == 0 and width >= 14 and rng.random() < 0.45
        widest = min(14.0, width / 3)
        line_px = float(rng.uniform(4, max(4.5, widest)) if broad else rng.uniform(1.2, 2.8))
        inside = _scratch(
            rng, lines, width, line_px=line_px, slant_px=float(slant), whole=number == 0
        )
        bright = np.float32(strength * rng.uniform(0.6, 1.0))
        gloss = 1 + (0.22 if broad else 0.12) * cloud(rng, lines, width, 2.5)
        if broad:
            offset = round(line_px)
            gain[:, offset:] -= np.float32(0.25) * inside[:, :-offset]  # the furrow's far wall
        lit = 1 + bright * inside * np.maximum(gloss, 0.4)
        gain = np.where(inside > 0, np.maximum(gain, lit), gain)
        mask |= inside >= 0.5
    return np.where(mask, np.maximum(gain, 1.25), gain), mask


def _scratch(
    rng: np.random.Generator,
    lines: int,
    width: int,
    *,
    line_px: float,
    slant_px: float,
    whole: bool,
) -> Field:
    """Return how much of each pixel one scratch covers, 0–1."""
    t = np.linspace(-0.5, 0.5, lines, dtype=np.float32)
    bend = cloud(rng, lines, 3, max(20.0, lines / 3))[:, 1] * np.float32(
        min(1.5, width / 20, lines / 400)
    )
    room = max(0.0, (width - line_px - abs(slant_px)) / 2 - 1)
    axis = width / 2 + rng.uniform(-room, room) + slant_px * t + bend
    axis = np.clip(axis, line_px / 2 + 0.5, width - 1.5 - line_px / 2)
    half = line_px / 2 * (1 + 0.1 * cloud(rng, lines, 2, 9 + line_px)[:, 0])
    present = np.ones(lines, np.float32)
    if rng.random() < 0.35:
        gaps = cloud(rng, lines, 2, max(12.0, min(lines / 6, 60)))[:, 0]
        present = np.clip(gaps * 3 + np.float32(rng.uniform(2, 5)), 0, 1)
    if not whole:
        start, stop = np.sort(rng.uniform(-0.5, 0.5, 2))
        present *= (t >= start) & (t <= max(stop, start + 0.15))
    reach = np.maximum(half, 0.6) + 0.5
    columns = np.arange(width, dtype=np.float32)
    covered = np.clip(reach[:, None] - np.abs(columns[None, :] - axis[:, None]), 0, 1)
    return np.asarray(covered * present[:, None], np.float32)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> int:
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))


def _spread_box(rng: np.random.Generator) -> tuple[int, int]:
    return _log_uniform(rng, 60, 280), _log_uniform(rng, 60, 240)


def _inclusion_box(rng: np.random.Generator) -> tuple[int, int]:
    lines = _log_uniform(rng, 22, 260)
    return lines, max(8, round(lines * float(rng.uniform(0.15, 0.5))))


def _patch_box(rng: np.random.Generator) -> tuple[int, int]:
    return _log_uniform(rng, 28, 250), _log_uniform(rng, 28, 180)


def _scratch_box(rng: np.random.Generator) -> tuple[int, int]:
    if rng.random() < 0.15:
        return int(rng.integers(12, 40)), _log_uniform(rng, 60, 300)
    lines = _log_uniform(rng, 60, 4000)
    return lines, int(rng.integers(6, 44))


_Draw = Callable[[np.random.Generator, int, int], _Drawn]
_DRAW: dict[str, _Draw] = {
    "crazing": _crazing,
    "inclusion": _inclusion,
    "patches": _patches,
    "pitted_surface": _pitted,
    "rolled-in_scale": _rolled_in_scale,
    "scratches": _scratches,
}
_BOXES: dict[str, Callable[[np.random.Generator], tuple[int, int]]] = {
    "crazing": _spread_box,
    "inclusion": _inclusion_box,
    "patches": _patch_box,
    "pitted_surface": _spread_box,
    "rolled-in_scale": _spread_box,
    "scratches": _scratch_box,
}
CLASS_NAMES: tuple[str, ...] = tuple(c.name for c in NEU_CLASSES)
"""Machine names of the classes that can be drawn, in the order of their ids."""
