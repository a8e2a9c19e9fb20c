"""Random fields that hot-rolled metal is made of, periodic along the strip."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""float32 ``[lines, width]`` or ``[lines]``."""

_CHEAP_BLUR_PX = 6.0  # above this correlation length a coarser grid gives the same picture


def cloud(rng: np.random.Generator, lines: int, width: int, scale_px: float) -> Field:
    """Return smooth noise of about unit deviation that varies over ``scale_px`` pixels."""
    rows, columns = int(lines / scale_px) + 4, int(width / scale_px) + 4
    coarse = rng.standard_normal((rows, columns), np.float32) * 1.4
    size = (max(width, round(columns * scale_px)), max(lines, round(rows * scale_px)))
    smooth = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    top, left = (size[1] - lines) // 2, (size[0] - width) // 2
    return np.ascontiguousarray(smooth[top : top + lines, left : left + width], np.float32)


def grain(
    rng: np.random.Generator,
    lines: int,
    width: int,
    *,
    along_px: float,
    across_px: float,
    slope: float = 0.0,
) -> Field:
    """Return Gaussian noise with mean 0 and deviation 1 that repeats seamlessly after ``lines``.

    Args:
        rng: Source of the noise.
        lines: Period along the strip.
        width: Width in pixels; not periodic.
        along_px: Correlation length along the strip in pixels.
        across_px: Correlation length across in pixels.
        slope: Lines that the pattern falls per pixel to the right, for oblique grinding marks.

    Returns:
        float32 ``[lines, width]``.
    """
    step_y = max(1, int(along_px / _CHEAP_BLUR_PX * 2))
    step_x = max(1, int(across_px / _CHEAP_BLUR_PX * 2))
    rows, columns = max(2, -(-lines // step_y)), -(-width // step_x) + 2
    field = rng.standard_normal((rows, columns), np.float32)
    field = _blur(field, along_px / step_y, across_px / step_x)
    if step_x > 1:
        size = (columns * step_x, rows)
        field = np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR), np.float32)
    field = field[:, :width]
    if rows != lines:
        field = _stretch(field, lines)
    deviation = float(field.std())
    field = (field - float(field.mean())) / max(deviation, 1e-6)
    return _shear(field, slope) if slope else field


def _blur(field: Field, along_px: float, across_px: float) -> Field:
    margin = min(field.shape[0], int(3 * along_px) + 1)
    wrapped = np.concatenate([field[-margin:], field, field[:margin]])
    blurred = cv2.GaussianBlur(
        wrapped, (0, 0), sigmaX=max(across_px, 0.1), sigmaY=max(along_px, 0.1)
    )
    return np.asarray(blurred[margin : margin + field.shape[0]], np.float32)


def _stretch(field: Field, lines: int) -> Field:
    rows = field.shape[0]
    position = np.arange(lines) * (rows / lines)
    below = position.astype(np.int64)
    share = (position - below).astype(np.float32)[:, None]
    stretched = field[below] * (1 - share) + field[(below + 1) % rows] * share
    return np.asarray(stretched, np.float32)


def _shear(field: Field, slope: float) -> Field:
    lines, width = field.shape
    shift = np.round(np.arange(width) * slope).astype(np.int64)
    rows = (np.arange(lines)[:, None] - shift[None, :]) % lines
    return np.take_along_axis(field, rows, axis=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextureStyle:
    """How the metal looks. Deviations are in grey levels at a base of 128.

    Attributes:
        base_grey: Mean grey level, 0–255.
        grain_std: Fine grain.
        grain_along_px: Correlation length of the grain along, in pixels.
        grain_across_px: Correlation length of the grain across, in pixels.
        hatch_std: Oblique grinding marks.
        hatch_slope: Their slope, lines per pixel.
        streak_std: Rolling streaks, thin and long.
        band_std: Broad bands along the strip.
        mottle_std: Clouds of scale.
    """

    base_grey: float
    grain_std: float
    grain_along_px: float
    grain_across_px: float
    hatch_std: float
    hatch_slope: float
    streak_std: float
    band_std: float
    mottle_std: float


LOOKS = ("smooth", "grainy", "ground", "streaky", "mottled")
"""Kinds of metal that NEU shows."""


def random_style(rng: np.random.Generator, looks: tuple[str, ...] = LOOKS) -> TextureStyle:
    """Return a style with one of the given looks, out of ``LOOKS``."""
    look = looks[int(rng.integers(len(looks)))]
    rough = look in ("grainy", "ground")
    base = float(rng.uniform(40, 235) if rng.random() < 0.3 else rng.uniform(65, 170))
    return TextureStyle(
        base_grey=base,
        grain_std=float(rng.uniform(5, 14) if rough else rng.uniform(1, 4)),
        grain_along_px=float(rng.uniform(0.4, 0.9)),
        grain_across_px=float(rng.uniform(0.4, 0.8)),
        hatch_std=float(rng.uniform(3, 8) if look == "ground" else rng.uniform(0, 2)),
        hatch_slope=float(rng.normal(0, 0.2)),
        streak_std=float(rng.uniform(2, 5) if look == "streaky" else rng.uniform(0, 1.5)),
        band_std=float(rng.uniform(4, 14) if rng.random() < 0.4 else rng.uniform(0, 4)),
        mottle_std=float(rng.uniform(3, 8) if look == "mottled" else rng.uniform(0, 2.5)),
    )


def fine_texture(rng: np.random.Generator, style: TextureStyle, lines: int, width: int) -> Field:
    """Return the grain and grinding marks, float32 ``[lines, width]`` grey levels about 0."""
    fine = grain(rng, lines, width, along_px=style.grain_along_px, across_px=style.grain_across_px)
    hatch = grain(rng, lines, width, along_px=0.8, across_px=9, slope=style.hatch_slope)
    return fine * np.float32(style.grain_std) + hatch * np.float32(style.hatch_std)


def broad_texture(rng: np.random.Generator, style: TextureStyle, lines: int, width: int) -> Field:
    """Return streaks, bands and clouds, float32 ``[lines, width]`` grey levels about 0."""
    streaks = grain(rng, lines, width, along_px=90, across_px=0.9)
    bands = grain(rng, lines, width, along_px=300, across_px=28)
    mottle = grain(rng, lines, width, along_px=14, across_px=9)
    streaks *= np.float32(style.streak_std)
    streaks += bands * np.float32(style.band_std)
    streaks += mottle * np.float32(style.mottle_std)
    return streaks
