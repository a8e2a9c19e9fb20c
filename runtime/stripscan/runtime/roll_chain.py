"""Evenly spaced prints among other defects, and how often chance would line up as many.

The null hypothesis is that the defects of a class lie along a lane of the strip as a Poisson
process. From its last print a trial period has places one turn, two turns … up the strip. A place
of ± δ holds a defect by chance with probability 1 - exp(-2δλ) ≤ q = 2δλ, where λ is the density in
the lane; that s or more of n places do has probability at most C(n, s) q^s (the union bound of the
binomial tail). The expected number of such alignments is this times the number of trials (A.
Desolneux, L. Moisan, J.-M. Morel, "Meaningful alignments", Int. J. Computer Vision 40, 2000,
7–23): all periods that can be told apart (``RollPeriods.trials``), and all n, which share with
weights 1 / (n (n - 1)), a series that sums to 1.

A place counts from the last print that was found, so that slip adds up without harm. That keeps
the probability: it is always strip of which nothing else is known yet.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.roll_periods import Floats, RollPeriods, place_mm

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

PLACES: Final = 16
"""Turns up the strip that a chain may have."""

GAP: Final = 4
"""Turns from one print to the next at most: three prints in a row may be missing."""

_LOG_CHOOSE: Final = np.array(
    [
        [math.log(math.comb(n, s)) if s <= n else -np.inf for s in range(PLACES + 1)]
        for n in range(PLACES + 1)
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The stretch of strip that a chain is looked for in.

    Attributes:
        anchor_mm: Middle of the last print from the head, in mm.
        length_mm: Length of the last print in mm.
        lane_mm: float64 ``[n]``: middles of earlier defects of its class in its lane, ascending.
        class_mm: float64 ``[m]``: those of its class over the whole width, ascending.
        share: Width of the lane as a share of the strip, above 0, to 1.
        seen_mm: Strip before the last print on which all of them are known, in mm.
    """

    anchor_mm: float
    length_mm: float
    lane_mm: Floats
    class_mm: Floats
    share: float
    seen_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Evenly spaced prints.

    Attributes:
        log_chance: Logarithm of the expected number of chance alignments that are as good and end
            at one given defect.
        turns: Turns of each print before the last, ascending; the last print itself is turn 0.
        members: Index of each in ``Lane.lane_mm``, alike.
    """

    log_chance: float
    turns: tuple[int, ...]
    members: tuple[int, ...]


def best_chain(lane: Lane, periods: RollPeriods) -> Chain | None:
    """Return the chain that ends at the last print and that chance explains least, if any.

    Prints at every second place alone are no chain of that period but of its double.
    """
    trails = _Trails(lane, periods)
    if not len(trails.period_mm):
        return None
    for turn in range(2, PLACES + 1):
        if not trails.follow(turn):
            break
    return trails.best()


class _Trails:
    """All chains of one lane, one for each pair of the last print and an earlier one."""

    def __init__(self, lane: Lane, periods: RollPeriods) -> None:
        self._lane = lane
        gap_mm = lane.anchor_mm - lane.lane_mm
        turns = np.arange(1, GAP + 1)
        trials = periods.trials(gap_mm[:, None] / turns)
        first, turn = np.nonzero(np.isfinite(trials))
        self._log_trials = np.log(trials[first, turn])
        self.period_mm = gap_mm[first] / turns[turn]
        self._first_turn = turns[turn]
        self._last_turn = self._first_turn.copy()
        self._last_mm = lane.lane_mm[first]
        self._divisor = self._first_turn.copy()
        self._hits = np.ones(len(first), np.int64)
        self._members = np.full((len(first), PLACES + 1), -1, np.int64)
        self._members[np.arange(len(first)), self._first_turn] = first
        self._log_chance = np.full(len(first), np.inf)
        self._best_turn = np.zeros(len(first), np.int64)

    def follow(self, turn: int) -> bool:
        """Look for the prints of one turn; return whether any chain can still go on."""
        waiting = turn <= self._first_turn
        alive = ~waiting & (turn - self._last_turn <= GAP)
        if not alive.any():
            return bool(waiting.any())
        period = (self._lane.anchor_mm - self._last_mm) / self._last_turn
        place = self._last_mm - (turn - self._last_turn) * period
        near = _nearest(self._lane.lane_mm, place)
        room_mm = place_mm(period, length_mm=self._lane.length_mm)
        off_mm = np.abs(self._lane.lane_mm[near] - place)
        hit = np.flatnonzero(alive & (off_mm <= room_mm))
        if len(hit):
            self._hit(turn, hit, near[hit], room_mm[hit])
        return True

    def _hit(self, turn: int, hit: Ints, member: Ints, room_mm: Floats) -> None:
        self._members[hit, turn] = member
        self._last_mm[hit] = self._lane.lane_mm[member]
        self._last_turn[hit] = turn
        self._divisor[hit] = np.gcd(self._divisor[hit], turn)
        self._hits[hit] += 1
        chance = self._chance(turn, hit, room_mm)
        better = (self._divisor[hit] == 1) & (chance < self._log_chance[hit])
        self._log_chance[hit[better]] = chance[better]
        self._best_turn[hit[better]] = turn

    def best(self) -> Chain | None:
        """Return the best of all, among equals the one of the shortest period."""
        least = self._log_chance.min()
        if not np.isfinite(least):
            return None
        equal = np.flatnonzero(self._log_chance == least)
        which = equal[np.argmin(self.period_mm[equal])]
        members = self._members[which, : self._best_turn[which] + 1]
        turns = np.flatnonzero(members >= 0)
        return Chain(
            log_chance=float(least),
            turns=tuple(turns.tolist()),
            members=tuple(members[turns].tolist()),
        )

    def _chance(self, turn: int, which: Ints, room_mm: Floats) -> Floats:
        """Return the log of the expected number of chance alignments up to a turn."""
        hits = self._hits[which]
        span_mm = (turn + 0.5) * self.period_mm[which]
        q = np.clip(2 * room_mm * self._density(span_mm, hits), 1e-300, 1.0)
        weight = math.log(turn * (turn - 1))
        chance: Floats = (
            self._log_trials[which] + weight + _LOG_CHOOSE[turn, hits] + hits * np.log(q)
        )
        return chance

    def _density(self, span_mm: Floats, hits: Ints) -> Floats:
        """Return the defects a mm of lane that chance has to work with.

        It is the greatest of four: the lane's as far as it was seen, with the chain; the lane's
        between the first and the last print, without the chain, which would be compared with
        itself; and the same two of the whole width, as defects come in bursts that are wider than
        a lane.
        """
        lane, start_mm = self._lane, self._lane.anchor_mm - span_mm
        in_lane = len(lane.lane_mm) - np.searchsorted(lane.lane_mm, start_mm)
        in_class = len(lane.class_mm) - np.searchsorted(lane.class_mm, start_mm)
        far = max(len(lane.lane_mm) + 1, lane.share * (len(lane.class_mm) + 1)) / lane.seen_mm
        others = np.maximum(in_lane - hits, lane.share * (in_class - hits))
        density: Floats = np.maximum(far, others / span_mm)
        return density


def _nearest(ascending: Floats, places: Floats) -> Ints:
    """Return the index of the value nearest to each place."""
    right = np.clip(np.searchsorted(ascending, places), 1, max(len(ascending) - 1, 1))
    right = np.minimum(right, len(ascending) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.abs(ascending[left] - places) <= np.abs(ascending[right] - places)
    index: Ints = np.where(nearer, left, right)
    return index
