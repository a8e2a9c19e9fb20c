"""Rows of counts, one an image: every figure is a function of their sums.

So the same function gives a figure, from the sum of all rows, and its interval, from the sums of
rows drawn again (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES: Final = 1000
LEVEL: Final = 0.95

Interval = tuple[float, float]


class Tally:
    """Collects one row of named counts per image.

    Args:
        shapes: Shape of the counts by name; ``()`` for a single number.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes = dict(shapes)
        self._rows: list[Floats] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, counts: Mapping[str, NDArray[Any] | float]) -> None:
        """Add the row of an image.

        Raises:
            ValueError: A name is missing or strange, or its shape is another.
        """
        if set(counts) != set(self._shapes):
            raise ValueError(f"counts {sorted(counts)} are not those of {sorted(self._shapes)}")
        parts = []
        for name, shape in self._shapes.items():
            part = np.asarray(counts[name], np.float64)
            if part.shape != shape:
                raise ValueError(f"'{name}' has the shape {part.shape} and not {shape}")
            parts.append(part.ravel())
        self._rows.append(np.concatenate(parts))

    def rows(self) -> Floats:
        """Return all rows ``[n, k]``."""
        width = sum(int(np.prod(shape)) for shape in self._shapes.values())
        return np.stack(self._rows) if self._rows else np.zeros((0, width))

    def named(self, sums: Floats) -> dict[str, Floats]:
        """Return sums ``[..., k]`` of rows by name, each ``[..., *shape]``."""
        named: dict[str, Floats] = {}
        at = 0
        for name, shape in self._shapes.items():
            size = int(np.prod(shape))
            named[name] = sums[..., at : at + size].reshape((*sums.shape[:-1], *shape))
            at += size
        return named


def by_group(rows: Floats, groups: NDArray[np.int64]) -> Floats:
    """Return the sum of the rows of each group, in the order in which groups appear.

    Images of one group are not independent: copies of one picture, drawn one by one, would make
    every interval too narrow.

    Args:
        rows: float64 ``[n, k]``.
        groups: int64 ``[n]``, equal numbers for rows that belong together.

    Returns:
        float64 ``[groups, k]``.
    """
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), rows.shape[1]))
    np.add.at(sums, np.argsort(np.argsort(first))[inverse], rows)
    return sums


def resampled_sums(rows: Floats, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Return the sums of rows drawn again, with replacement, as many as there are.

    Args:
        rows: float64 ``[n, k]``, one of each source; see ``by_group``.
        resamples: How often.
        seed: Seed of the draw.

    Returns:
        float64 ``[resamples, k]``.
    """
    draw = np.random.default_rng(seed)
    times = draw.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=resamples)
    return times.astype(np.float64) @ rows


def percentile_interval(values: Floats, estimate: float) -> Interval | None:
    """Return the percentile interval of a figure; None where no resample has the figure.

    Args:
        values: The figure in each resample ``[n]``; NaN where it does not exist.
        estimate: The figure itself. The interval is widened to it where a figure with a bias
            under resampling, such as a calibration error, leaves it outside.
    """
    there = values[~np.isnan(values)]
    if not len(there) or np.isnan(estimate):
        return None
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(there, [tail, 100 - tail]).tolist()
    return min(low, estimate), max(high, estimate)


def widened(interval: Interval, sources: int) -> Interval:
    """Return the interval of a share, widened where all of it or nothing was hit.

    Every resample then gives 0 or 1, as if nothing could be learned from more. The exact interval
    of as many trials as there are sources is taken (Clopper and Pearson 1934, Biometrika 26,
    404-413).

    Args:
        interval: Of ``percentile_interval``.
        sources: Sources that the share is of, at least 1.
    """
    reach = ((1 - LEVEL) / 2) ** (1 / sources)
    if interval == (1.0, 1.0):
        return reach, 1.0
    return (0.0, 1.0 - reach) if interval == (0.0, 0.0) else interval
