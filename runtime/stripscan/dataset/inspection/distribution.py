"""A list of values as a person reads it: a few quantiles and a histogram."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Quantiles and histogram of some values; the quantiles are None where there are none.

    Attributes:
        n: Number of values.
        mean: Their mean.
        minimum: The least.
        p10: A tenth of the values lies below.
        median: Half of the values lie below.
        p90: Nine tenths of the values lie below.
        maximum: The largest.
        edges: Borders of the bins, ascending, one more than bins.
        counts: Values in each bin. Those beyond the edges are in the first or the last bin.
    """

    n: int
    mean: float | None
    minimum: float | None
    p10: float | None
    median: float | None
    p90: float | None
    maximum: float | None
    edges: tuple[float, ...]
    counts: tuple[int, ...]


def distribution(values: ArrayLike, edges: Sequence[float]) -> Distribution:
    """Return the distribution of some values.

    Args:
        values: ``[n]``, finite.
        edges: Ascending borders of the bins; a bin holds its lower border.

    >>> distribution([1, 2, 9], [0, 2, 4]).counts
    (1, 2)
    """
    numbers = np.asarray(values, np.float64)
    bins = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(bins, minlength=len(edges) - 1)
    quantiles: list[float | None] = [None] * 5
    if numbers.size:
        quantiles = [float(q) for q in np.quantile(numbers, (0, 0.1, 0.5, 0.9, 1))]
    return Distribution(
        n=numbers.size,
        mean=float(numbers.mean()) if numbers.size else None,
        minimum=quantiles[0],
        p10=quantiles[1],
        median=quantiles[2],
        p90=quantiles[3],
        maximum=quantiles[4],
        edges=tuple(float(e) for e in edges),
        counts=tuple(counts.tolist()),
    )
