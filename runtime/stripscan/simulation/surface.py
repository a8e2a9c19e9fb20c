"""The metal of the moving strip and its edges, as a function of the line's number alone."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.simulation.spec import StripSpec
from stripscan.simulation.texture import Field, TextureStyle, broad_texture, fine_texture, grain

CHUNK_LINES: Final = 256
"""Values by line are computed in fixed chunks, so that no block size can change a rounding."""

_FINE_PERIOD = 1021  # primes: the two textures together repeat only after 1.5 million lines
_BROAD_PERIOD = 1523
_NOISE_LINES = 4 * CHUNK_LINES
_NOISE_SPARE_PX = 61
_Q4 = 16
_DARK_GREY = 10
_BASE_GREY = 122.0

Grey = NDArray[np.int16]
"""int16 ``[lines, width]``, grey level in 1/16."""


class Surface:
    """Clean metal between dark surroundings.

    Grey levels are integers in 1/16 throughout: sums of integers do not depend on how an array is
    cut, sums of floats may.
    """

    def __init__(self, spec: StripSpec) -> None:
        self._spec = spec
        rng = np.random.default_rng((spec.seed, 1))
        style = TextureStyle(
            base_grey=_BASE_GREY,
            grain_std=6,
            grain_along_px=0.8,
            grain_across_px=0.7,
            hatch_std=2.5,
            hatch_slope=0.12,
            streak_std=1.3,
            band_std=4,
            mottle_std=1.6,
        )
        width = spec.width_px
        across = np.linspace(-1, 1, width, dtype=np.float32)
        light = 1 - np.float32(spec.shading) * across * across
        self._light_q8 = np.round(light * 256).astype(np.int32)
        self._fine = _q4(fine_texture(rng, style, _FINE_PERIOD, width) * light)
        self._broad = _q4(broad_texture(rng, style, _BROAD_PERIOD, width) * light)
        white = grain(rng, _NOISE_LINES, width + _NOISE_SPARE_PX, along_px=0.1, across_px=0.1)
        self._noise = _q4(white * np.float32(spec.noise))
        self._phases = rng.uniform(0, 2 * np.pi, 8)

    def edges(self, first_line: int, lines: int) -> NDArray[np.float32]:
        """Return where the strip begins and ends, float32 ``[lines, 2]``, in columns.

        A pixel of column ``c`` is metal where ``left <= c + 0.5 <= right``.
        """
        spec = self._spec
        wander = self._by_line(first_line, lines, ((23_000, 0.7, 0), (7_100, 0.3, 1)))
        left = (spec.width_px - spec.strip_px) / 2 + spec.wander_px * wander
        return np.stack([left, left + spec.strip_px], axis=1).astype(np.float32)

    def metal(self, first_line: int, lines: int) -> Grey:
        """Return the strip's surface without defects, edges and noise."""
        rows = np.arange(first_line, first_line + lines)
        level = _BASE_GREY + self._by_line(
            first_line, lines, ((31_000, 22, 2), (11_300, 12, 3), (2_900, 5, 4))
        )
        rough = 0.75 + self._by_line(first_line, lines, ((17_000, 0.4, 5), (5_300, 0.2, 6)))
        level_q4 = np.round(level * _Q4).astype(np.int32)
        rough_q6 = np.round(rough * 64).astype(np.int16)
        grey = ((level_q4[:, None] * self._light_q8[None, :]) >> 8).astype(np.int16)
        grey += np.take(self._broad, rows % _BROAD_PERIOD, axis=0)
        fine = np.take(self._fine, rows % _FINE_PERIOD, axis=0)
        fine *= rough_q6[:, None]
        fine >>= 6
        grey += fine
        return grey

    def expose(self, grey: Grey, first_line: int) -> NDArray[np.uint8]:
        """Cut the metal at the strip's edges, add the sensor's noise, and return 8 bits.

        Args:
            grey: Metal with its defects; it is changed.
            first_line: Number of its first line; it must not reach into the next chunk.
        """
        lines, width = grey.shape
        edges = self.edges(first_line, lines).astype(np.float64)
        reach = int(self._spec.wander_px) + 3
        margin = min(width // 2, (width - self._spec.strip_px) // 2 + reach)
        column = np.arange(margin) + 1.0
        _darken(grey[:, :margin], column[None, :] - edges[:, :1])
        column = np.arange(width - margin, width)
        _darken(grey[:, width - margin :], edges[:, 1:] - column[None, :])
        chunk, line = divmod(first_line, CHUNK_LINES)
        rng = np.random.default_rng((self._spec.seed, 2, chunk))
        top = int(rng.integers(_NOISE_LINES - CHUNK_LINES + 1)) + line
        left = int(rng.integers(_NOISE_SPARE_PX + 1))
        grey += self._noise[top : top + lines, left : left + width]
        grey += _Q4 // 2
        grey >>= 4
        np.clip(grey, 0, 255, out=grey)
        return grey.astype(np.uint8)

    def _by_line(
        self, first_line: int, lines: int, waves: tuple[tuple[float, float, int], ...]
    ) -> NDArray[np.float64]:
        """Return a sum of waves of (length in lines, amplitude, number of the phase)."""
        first_chunk = first_line // CHUNK_LINES
        last_chunk = (first_line + max(lines, 1) - 1) // CHUNK_LINES
        parts = []
        for chunk in range(first_chunk, last_chunk + 1):
            at = np.arange(chunk * CHUNK_LINES, (chunk + 1) * CHUNK_LINES, dtype=np.float64)
            total = np.zeros(CHUNK_LINES)
            for length, amplitude, phase in waves:
                total += amplitude * np.sin(at * (2 * np.pi / length) + self._phases[phase])
            parts.append(total)
        skip = first_line - first_chunk * CHUNK_LINES
        return np.concatenate(parts)[skip : skip + lines]


def _q4(field: Field) -> Grey:
    return np.round(field * np.float32(_Q4)).astype(np.int16)


def _darken(grey: Grey, inside_px: NDArray[np.float64]) -> None:
    """Blend to the dark where a pixel's far side lies less than 1 px inside the edge."""
    inside_q8 = np.round(np.clip(inside_px, 0, 1) * 256).astype(np.int32)
    grey[:] = (grey * inside_q8 + _DARK_GREY * _Q4 * (256 - inside_q8)) >> 8
