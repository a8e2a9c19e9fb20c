"""Random training tiles: clean metal, defects, strip edges."""

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import CLASS_ID
from stripscan.contract.errors import ConfigError
from stripscan.simulation.defects import CLASS_NAMES, GAIN_ONE, Sprite, draw_defect, random_box
from stripscan.simulation.texture import (
    LOOKS,
    Field,
    broad_texture,
    cloud,
    fine_texture,
    random_style,
)

Tile = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Pixels and mask of class ids, both uint8 ``[s, s]``."""


def sample_tile(
    rng: np.random.Generator,
    size_px: int,
    *,
    defects: int | None = None,
    edge_probability: float = 0.15,
) -> Tile:
    """Draw a tile of strip as no other.

    Args:
        rng: Source of everything random; the same state gives the same tile.
        size_px: Side of the tile in pixels, at least 32.
        defects: How many defects, 0 for clean metal, None for one or two. A tile may show fewer
            where the strip's edge or another defect takes the room.
        edge_probability: Chance, 0–1, that the strip's edge and the dark beside it are seen.

    Returns:
        Pixels and mask of class ids, uint8 ``[size_px, size_px]`` each.

    Raises:
        ConfigError: The size is below 32 px, or the number of defects is negative.
    """
    if size_px < 32:
        raise ConfigError(f"a tile of {size_px} px is too small: give 32 px or more")
    if defects is not None and defects < 0:
        raise ConfigError(f"{defects} defects in a tile: give 0 or more")
    count = int(rng.integers(1, 3)) if defects is None else defects
    names = [str(name) for name in rng.choice(CLASS_NAMES, count)]
    metal = _metal(rng, size_px, _looks_for(rng, names))
    mask = np.zeros((size_px, size_px), np.uint8)
    for name in names:
        _add_defect(rng, metal, mask, name)
    if rng.random() < edge_probability:
        _add_edge(rng, metal, mask)
    noise = rng.standard_normal(metal.shape, np.float32) * np.float32(rng.uniform(0.8, 4))
    return np.clip(metal + noise + 0.5, 0, 255).astype(np.uint8), mask


_LEAST_SEEN_PX = 24  # fewer pixels of a defect at the border teach nothing
_ROUGH = ("crazing", "patches", "rolled-in_scale")


def _looks_for(rng: np.random.Generator, names: list[str]) -> tuple[str, ...]:
    """Return the looks to choose from: each class mostly has its own metal, as in NEU."""
    if not names or rng.random() < 0.3:
        return LOOKS
    return ("grainy", "ground") if names[0] in _ROUGH else ("smooth", "streaky", "mottled")


def _metal(rng: np.random.Generator, size_px: int, looks: tuple[str, ...]) -> Field:
    style = random_style(rng, looks)
    texture = fine_texture(rng, style, size_px, size_px)
    texture += broad_texture(rng, style, size_px, size_px)
    across = np.linspace(-1, 1, size_px, dtype=np.float32)
    tilt, bow = rng.normal(0, 0.12, 2).astype(np.float32)
    light = 1 + tilt * across + bow * across * across
    light = light[None, :] + np.float32(rng.uniform(0, 0.06)) * cloud(rng, size_px, size_px, 90)
    base = np.float32(style.base_grey)
    return np.asarray((base + texture * (0.3 + 0.7 * base / 128)) * light, np.float32)


def _add_defect(
    rng: np.random.Generator, metal: Field, mask: NDArray[np.uint8], class_name: str
) -> None:
    size = metal.shape[0]
    lines, width = random_box(
        class_name, rng, longest_px=max(12, round(1.6 * size)), widest_px=round(1.3 * size)
    )
    sprite = draw_defect(class_name, rng, lines, width)
    for _ in range(8):
        top, left = (_place(rng, side, size) for side in sprite.mask.shape)
        if _stamp(metal, mask, sprite, top=top, left=left, class_id=CLASS_ID[class_name]):
            return


def _place(rng: np.random.Generator, side: int, size: int) -> int:
    """Return where a side of the sprite starts: half of it, or half the tile, is seen."""
    seen = max(6, min(side, size) // 2)
    return int(rng.integers(seen - side, size - seen + 1))


def _stamp(
    metal: Field,
    mask: NDArray[np.uint8],
    sprite: Sprite,
    *,
    top: int,
    left: int,
    class_id: int,
) -> bool:
    height, width = sprite.mask.shape
    y, x = max(top, 0), max(left, 0)
    bottom, right = min(top + height, mask.shape[0]), min(left + width, mask.shape[1])
    inside = (slice(y - top, bottom - top), slice(x - left, right - left))
    target = (slice(y, bottom), slice(x, right))
    if mask[target].any() or np.count_nonzero(sprite.mask[inside]) < _LEAST_SEEN_PX:
        return False
    metal[target] *= sprite.gain_q8[inside] * np.float32(1 / GAIN_ONE)
    mask[target] = sprite.mask[inside] * np.uint8(class_id)
    return True


def _add_edge(rng: np.random.Generator, metal: Field, mask: NDArray[np.uint8]) -> None:
    size = metal.shape[0]
    lean = float(rng.normal(0, 0.01)) * np.arange(size, dtype=np.float32)
    edge = float(rng.uniform(0.05, 0.6)) * size + lean
    columns = np.arange(size, dtype=np.float32)
    sharp = float(rng.uniform(1, 3))
    inside = np.clip((columns[None, :] - edge[:, None]) / sharp + 0.5, 0, 1)
    if rng.random() < 0.5:
        inside = inside[:, ::-1]
    metal *= inside
    metal += (1 - inside) * np.float32(rng.uniform(5, 15))
    mask[inside < 0.5] = 0
