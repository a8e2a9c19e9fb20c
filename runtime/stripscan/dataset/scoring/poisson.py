"""The exact interval of a rate of rare events."""

import math
from collections.abc import Callable
from typing import Final

import numpy as np

_STEPS: Final = 200  # halvings; an interval of floats is exhausted well before


def poisson_interval(count: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of the mean of a Poisson variable that was seen once.

    The least mean at which ``count`` or more has the probability of a tail, and the greatest at
    which ``count`` or fewer has it (Garwood 1936, Biometrika 28, 437-442). They are halves of
    quantiles of chi-square with ``2 count`` and ``2 count + 2`` degrees of freedom.

    Args:
        count: Events that were seen, at least 0.
        level: Probability that the interval covers the mean, at least; 0-1 exclusive.

    Raises:
        ValueError: The count is negative or the level is no probability.

    Example:
        >>> [round(side, 3) for side in poisson_interval(0)]
        [0.0, 3.689]
    """
    if count < 0 or not 0 < level < 1:
        raise ValueError(f"a count of {count} at level {level}: it must be 0 or more, within 0-1")
    tail = (1 - level) / 2
    # Beyond ten standard deviations the tail is far below any level in use.
    limit = count + 10 * math.sqrt(count + 1) + 20 - 2 * math.log(tail)
    low = _root(lambda mean: at_most(count - 1, mean) - (1 - tail), limit) if count else 0.0
    return low, _root(lambda mean: at_most(count, mean) - tail, limit)


def at_most(count: int, mean: float) -> float:
    """Return the probability that a Poisson variable is ``count`` or less."""
    if count < 0:
        return 0.0
    if mean <= 0:
        return 1.0
    number = np.arange(count + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(number[1:]))])
    return min(1.0, float(np.exp(number * math.log(mean) - mean - log_factorial).sum()))


def _root(falling: Callable[[float], float], limit: float) -> float:
    """Return where a falling function of 0 to ``limit`` crosses zero, by bisection."""
    low, high = 0.0, limit
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2
