"""Watches the defects of a coil for marks that a damaged roll prints once every turn."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final

from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.roll_chain import Chain, best_chain
from stripscan.runtime.roll_periods import Roll, RollPeriods
from stripscan.runtime.roll_series import RollSeries
from stripscan.runtime.roll_trail import Print, RollTrail

MAX_LENGTH_MM: Final = 300.0
"""A longer defect is no print: it is a scratch, or a fault of the metal."""

_REACH_TURNS: Final = 17


class RollWatch:
    """Finds roll repeats while a coil runs, in bounded memory.

    Defects may be cut into pushes in any way: the result is the same as long as they come in the
    order of their ends, which is that in which they end under the camera.

    Each defect is asked whether it is the last of a chain of prints (``best_chain``). The coil's
    allowance for chance alarms is spent on these questions: the ``i``-th gets a share of
    1 / (2 i (1 + ln i)²), which adds up to less than 1 however many there will be (K. K. G. Lan,
    D. L. DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983).

    Args:
        coil: Name of the coil.
        rolls: Rolls that touch the surface that the camera sees.
        false_alarms: Repeats expected by chance on a coil whose defects are at random.
        min_diameter_mm: The smallest roll to look for beside ``rolls``.
        max_diameter_mm: The largest one.
        numbers: Numbers for repeats, rising; from 1 on if None.
    """

    def __init__(
        self,
        *,
        coil: str,
        rolls: Sequence[Roll],
        false_alarms: float,
        min_diameter_mm: float,
        max_diameter_mm: float,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self._coil = coil
        self._numbers = count(1) if numbers is None else numbers
        self._periods = RollPeriods(
            rolls, min_diameter_mm=min_diameter_mm, max_diameter_mm=max_diameter_mm
        )
        self._log_false_alarms = math.log(false_alarms)
        self._trails: dict[str, RollTrail] = {}
        self._open: list[RollSeries] = []
        self._asked = 0

    def push(self, defects: Iterable[Defect], *, settled_m: float) -> tuple[RollRepeat, ...]:
        """Take in defects and return what they change, in order.

        Args:
            defects: Defects; those that have not ended yet and those too long are passed over.
            settled_m: What ended before this place, in m from the head, was pushed.
        """
        marks = sorted(
            (
                Print.of(defect)
                for defect in defects
                if defect.phase is DefectPhase.END and defect.length_mm <= MAX_LENGTH_MM
            ),
            key=lambda mark: (mark.end_mm, mark.across_mm, mark.number),
        )
        changes: list[RollRepeat] = []
        for mark in marks:
            changes += self._end_before(mark.end_mm)
            changes += self._take(mark)
        changes += self._end_before(settled_m * 1000.0)
        return tuple(changes)

    def finish(self) -> tuple[RollRepeat, ...]:
        """Return the end of all that is open, as the coil has ended."""
        return tuple(self._end_before(math.inf))

    def _end_before(self, place_mm: float) -> Iterator[RollRepeat]:
        over = [series for series in self._open if series.over_mm(MAX_LENGTH_MM) < place_mm]
        for series in sorted(over, key=lambda series: series.over_mm(MAX_LENGTH_MM)):
            self._open.remove(series)
            yield self._record(series, DefectPhase.END, ())

    def _take(self, mark: Print) -> Iterator[RollRepeat]:
        near = [(miss, s) for s in self._open if (miss := s.miss(mark)) <= 1]
        if near:
            series = min(near, key=lambda pair: (pair[0], pair[1].number))[1]
            series.add(mark)
            yield self._record(series, DefectPhase.UPDATE, (mark.number,))
            return
        trail = self._trails.setdefault(mark.class_name, RollTrail())
        self._asked += 1
        lane, numbers = trail.lane(mark)
        chain = best_chain(lane, self._periods) if len(numbers) > 1 else None
        if chain is None or chain.log_chance > self._log_allowance():
            trail.add(mark, reach_mm=_REACH_TURNS * self._periods.longest_mm)
            return
        members = tuple(int(numbers[i]) for i in reversed(chain.members))
        trail.remove(members)
        places = [float(lane.lane_mm[i]) for i in chain.members]
        yield self._alarm(mark, chain, places, (*members, mark.number))

    def _log_allowance(self) -> float:
        asked = self._asked
        return self._log_false_alarms - math.log(2 * asked * (1 + math.log(asked)) ** 2)

    def _alarm(
        self, mark: Print, chain: Chain, places_mm: list[float], defects: tuple[int, ...]
    ) -> RollRepeat:
        last = chain.turns[-1]
        prints = [(0, mark.along_mm), *zip(chain.turns, places_mm, strict=True)]
        found = RollSeries(
            number=0,
            mark=mark,
            prints=[(last - turn, place) for turn, place in reversed(prints)],
        )
        for series in self._open:
            if self._may_be_double(series) and series.take_over(found):
                return self._record(series, DefectPhase.UPDATE, defects)
        found.number = next(self._numbers)
        self._open.append(found)
        return self._record(found, DefectPhase.NEW, defects)

    def _may_be_double(self, series: RollSeries) -> bool:
        """Return whether no known roll speaks for the period of a series against half of it."""
        rolls = [
            self._periods.rolls_at(series.period_mm / part, error_mm=series.period_error_mm)
            for part in (1, 2)
        ]
        return not rolls[0] or bool(rolls[1])

    def _record(
        self, series: RollSeries, phase: DefectPhase, defects: tuple[int, ...]
    ) -> RollRepeat:
        period_mm = series.period_mm
        rolls = self._periods.rolls_at(period_mm, error_mm=series.period_error_mm)
        elongation = rolls[0].elongation if rolls else 1.0
        return RollRepeat(
            coil=self._coil,
            number=series.number,
            phase=phase,
            class_name=series.class_name,
            rolls=tuple(roll.name for roll in rolls),
            period_mm=period_mm,
            diameter_mm=period_mm / (math.pi * elongation),
            across_mm=series.across_mm,
            first_m=series.first_mm / 1000.0,
            last_m=series.last_mm / 1000.0,
            prints=series.prints,
            missed=series.turns + 1 - series.prints,
            defects=defects,
        )
