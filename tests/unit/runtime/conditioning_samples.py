"""A camera under uneven light, for tests of the conditioning."""

import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.conditioning.flat_field import FlatField, Origin, Target
from stripscan.runtime.conditioning.learning import LineSampler, learn
from unit.runtime.inspection_samples import blocks_of, metal

Pixels = NDArray[np.uint8]


def light(width: int, loss: float = 0.5) -> NDArray[np.float32]:
    """Return the share of light of each column; ``loss`` is missing at both ends."""
    across = np.linspace(-1, 1, width, dtype=np.float32)
    return 1 - np.float32(loss) * across * across


def seen(pixels: Pixels, share: NDArray[np.float32], offset: float = 0.0) -> Pixels:
    """Return what a camera makes of metal under such light."""
    return np.clip(np.rint(pixels * share + offset), 0, 255).astype(np.uint8)


def origin(target: Target = "strip") -> Origin:
    return Origin(
        camera="top-1",
        bits=8,
        transfer="linear",
        target=target,
        source="folder",
        learned_at="2026-03-01T06:00:00+00:00",
        lamp_hours=1200.0,
        blocks=8,
        lines=512,
        stripscan_version="0.1.0",
    )


def flat_field(gain: NDArray[np.float32], **changes: object) -> FlatField:
    width = len(gain)
    columns = {
        "offset": np.zeros(width, np.float32),
        "learned": np.ones(width, np.bool_),
        "dead": np.zeros(width, np.bool_),
        "level_grey": 120.0,
        "origin": origin(),
    }
    return FlatField(gain=gain, **(columns | changes))


def taught(pixels: Pixels, *, detect: bool = False) -> FlatField:
    """Return what is learned from a strip."""
    sampler = LineSampler(
        width_px=pixels.shape[1], mm_per_px=0.5, detect=detect, lines=4096, dark=False
    )
    for block in blocks_of(pixels, range(0, len(pixels), 100)):
        sampler.push(block)
    return learn(*sampler.lines(), origin=origin())


def strip(lines: int, width: int, left: int, right: int, *, seed: int = 0) -> Pixels:
    """Return metal from ``left`` up to ``right`` in the dark."""
    pixels = metal(lines, width, seed=seed)
    pixels[:, :left] = 3
    pixels[:, right:] = 3
    return pixels
