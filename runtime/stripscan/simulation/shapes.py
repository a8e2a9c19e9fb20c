"""Outlines that defects are drawn with: soft shapes and thin lines."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.simulation.texture import Field, cloud


def blob_distance(
    rng: np.random.Generator, lines: int, width: int, *, roundness: float, wobble: float
) -> Field:
    """Return how far inside a random closed shape each pixel is, in pixels, negative outside.

    The shape is a superellipse that nearly fills the box, with an uneven outline.

    Args:
        rng: Source of the outline.
        lines: Height of the box.
        width: Width of the box.
        roundness: Exponent of the superellipse: 2 an ellipse, 5 nearly a rectangle.
        wobble: Unevenness of the outline, 0–1.

    Returns:
        float32 ``[lines, width]``.
    """
    v = np.abs(np.linspace(-1, 1, lines, dtype=np.float32))[:, None] ** roundness
    u = np.abs(np.linspace(-1, 1, width, dtype=np.float32))[None, :] ** roundness
    radius = (u + v) ** np.float32(1 / roundness)
    smaller = min(lines, width)
    uneven = cloud(rng, lines, width, max(4.0, smaller / 4))
    distance = (1 - radius - np.float32(0.06 + 0.25 * wobble)) + wobble * 0.3 * uneven
    distance = np.minimum(distance, (1 - radius) * 0.8 + 0.12)
    distance -= np.maximum(0, np.maximum(u, v) - np.float32(0.9)) * 3
    return np.asarray(distance * (smaller / 2), np.float32)


def soft(distance: Field, width_px: float) -> Field:
    """Return 0 outside to 1 inside, 0.5 at distance 0, over a border of ``width_px``."""
    share = distance / np.float32(width_px) + np.float32(0.5)
    return np.asarray(np.clip(share, 0, 1), np.float32)


def lens_distance(
    rng: np.random.Generator,
    lines: int,
    width: int,
    *,
    centre: tuple[float, float],
    half_length_px: float,
    half_width_px: float,
) -> Field:
    """Return the signed distance across to a streak with pointed ends along the strip.

    Args:
        rng: Source of the unevenness.
        lines: Height of the box.
        width: Width of the box.
        centre: Line and column of the middle.
        half_length_px: Half of the extent along.
        half_width_px: Half of the greatest extent across.

    Returns:
        float32 ``[lines, width]``, pixels, positive inside.
    """
    t = (np.arange(lines, dtype=np.float32) - np.float32(centre[0])) / np.float32(half_length_px)
    skew = np.float32(rng.uniform(-0.3, 0.3))
    profile = np.maximum(0, 1 - t * t) ** np.float32(rng.uniform(0.5, 1.0)) * (1 + skew * t)
    ragged = cloud(rng, lines, 3, max(5.0, half_length_px / 2.5))
    rough = cloud(rng, lines, 3, 3.0)[:, 1] * np.float32(min(0.6, half_width_px / 8))
    reach = half_width_px * profile * (1 + 0.25 * ragged[:, 0]) + rough - (np.abs(t) >= 1) * 3
    lean = np.float32(rng.uniform(-0.06, 0.06) * half_length_px)
    axis = centre[1] + lean * t + 0.25 * half_width_px * ragged[:, 2]
    columns = np.arange(width, dtype=np.float32)
    return np.asarray(reach[:, None] - np.abs(columns[None, :] - axis[:, None]), np.float32)


def cracks(
    rng: np.random.Generator, lines: int, width: int, count: int, length_px: float
) -> NDArray[np.uint8]:
    """Return jagged branching hairlines that mostly run across.

    Returns:
        uint8 ``[lines, width]``, 0 none to 255 deepest.
    """
    canvas = np.zeros((lines, width), np.uint8)
    for _ in range(count):
        steps = max(5, int(rng.gamma(3, length_px / 3) / 2.6))
        upright = rng.random() < 0.2
        heading = rng.normal(np.pi / 2 if upright else 0, 0.35)
        turn = 0.55 * rng.standard_normal(steps) + 0.12 * np.cumsum(rng.standard_normal(steps))
        path = np.cumsum(
            np.stack([np.cos(heading + turn), np.sin(heading + turn)], 1) * 2.6, axis=0
        )
        path += rng.uniform(0, (width, lines)) - path[steps // 2]
        depth = int(rng.integers(90, 256))
        _polyline(canvas, path, depth, 2 if rng.random() < 0.25 else 1)
        if rng.random() < 0.5:
            fork = int(rng.integers(steps))
            side = path[fork:] - path[fork]
            branch = side @ _rotation(float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.2)))
            _polyline(canvas, branch[: steps // 2] + path[fork], depth * 3 // 4, 1)
    return canvas


def _rotation(angle_rad: float) -> NDArray[np.float64]:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, s], [-s, c]])


def _polyline(
    canvas: NDArray[np.uint8], path: NDArray[np.float64], value: int, thickness: int
) -> None:
    points = np.round(path * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(canvas, [points], False, value, thickness, cv2.LINE_AA, shift=4)


def flecks(
    rng: np.random.Generator,
    lines: int,
    width: int,
    count: int,
    *,
    half_along_px: tuple[float, float],
    half_across_px: tuple[float, float],
    tilt_deg: float,
    gather: float,
) -> NDArray[np.uint8]:
    """Return small filled spots, gathered in clusters.

    Args:
        rng: Source of the spots.
        lines: Height of the box.
        width: Width of the box.
        count: Spots to draw; those in the gaps between clusters are left out.
        half_along_px: Range of their half extent along.
        half_across_px: Range of their half extent across.
        tilt_deg: Deviation of their tilt in degrees.
        gather: -2 spread everywhere to 1 in few clusters.

    Returns:
        uint8 ``[lines, width]``, 0 none to 255 deepest.
    """
    canvas = np.zeros((lines, width), np.uint8)
    density = cloud(rng, lines, width, 28)
    ys = rng.integers(0, lines, count)
    xs = rng.integers(0, width, count)
    keep = density[ys, xs] + 0.5 * rng.standard_normal(count) > gather
    for y, x in zip(ys[keep].tolist(), xs[keep].tolist(), strict=True):
        skewed = rng.random() ** 2
        along = half_along_px[0] + (half_along_px[1] - half_along_px[0]) * skewed
        across = half_across_px[0] + (half_across_px[1] - half_across_px[0]) * skewed
        axes = (max(8, int(across * 16)), max(8, int(along * 16)))
        tilt = float(rng.normal(0, tilt_deg))
        depth = int(rng.integers(120, 256))
        cv2.ellipse(canvas, (x * 16, y * 16), axes, tilt, 0, 360, depth, -1, cv2.LINE_AA, shift=4)
    return canvas
