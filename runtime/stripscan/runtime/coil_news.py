"""What is told of one coil while it passes."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from stripscan.contract.classes import DefectClass
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.event import (
    CoilEnded,
    CoilStarted,
    CoverageGap,
    DefectMerged,
    EventData,
)
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.alarms import AlarmKind
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.event_data import (
    coverage_metres,
    defect_state,
    grade_state,
    metres,
    repeat_state,
)
from stripscan.runtime.news import News
from stripscan.runtime.rules.replay import Replay
from stripscan.runtime.store_records import CoilRecord, CoilStatus

_GROWTH: Final = 2.0
"""How many times longer or larger a defect has become when it is told again."""

_MISSED: Final = frozenset({CoverageStatus.DROPPED, CoverageStatus.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What was last said of a defect."""

    class_name: str
    severity: str
    length_mm: float
    area_mm2: float

    def fits(self, defect: Defect) -> bool:
        """Return whether a defect is still about what was said of it."""
        return (
            (self.class_name, self.severity) == (defect.class_name, defect.severity)
            and defect.length_mm < _GROWTH * self.length_mm
            and defect.area_mm2 < _GROWTH * self.area_mm2
        )


class CoilNews:
    """Tells of one coil; every method is for ``News.transaction``.

    A defect is told when it is new, when its class or severity changes, whenever it has become
    twice as long or large, and at its end: a scratch of a kilometre is a dozen events.

    Args:
        news: Where it is told.
        coil: Id of the coil.
        classes: Classes of the bundle.
    """

    def __init__(self, news: News, coil: str, *, classes: Iterable[DefectClass] = ()) -> None:
        self._news = news
        self._coil = coil
        self._class_ids = {each.name: each.id for each in classes}
        self._told: dict[int, _Told] = {}
        self._alarmed: set[int] = set()
        self._gaps: dict[str, CoverageInterval] = {}
        self._missed_m = 0.0

    def resume(self, coverage: Iterable[CoverageInterval]) -> None:
        """Take up a coil where the store has it, after a crash or a failure, and tell nothing."""
        self._gaps.clear()
        for interval in coverage:
            self._gaps.pop(interval.camera, None)
            if interval.status is not CoverageStatus.INSPECTED:
                self._gaps[interval.camera] = interval

    def started(self, plan: PlannedCoil, record: CoilRecord) -> None:
        """Tell that the coil begins."""
        data = CoilStarted(
            planned_length_m=plan.length_m,
            planned_width_mm=plan.width_mm,
            surface=record.surface,
            bundle=record.bundle_name,
            bundle_digest=record.bundle_digest,
        )
        self._tell("coil.started", data)

    def merged(self, gone: int, into: int) -> None:
        """Tell that a defect is part of another."""
        self._told.pop(gone, None)
        self._alarmed.discard(gone)
        self._tell("defect.merged", DefectMerged(number=int(gone), into=int(into)))

    def defect(self, defect: Defect) -> None:
        """Tell of a defect, if there is news of it."""
        told = self._told.get(defect.number)
        self._alert(defect)
        if told is None:
            class_id = self._class_ids.get(defect.class_name, 0)
            self._news.found(defect, class_id=class_id)
            self._tell("defect.new", defect_state(defect))
        elif defect.phase is not DefectPhase.END and not told.fits(defect):
            self._tell("defect.update", defect_state(defect))
        elif defect.phase is not DefectPhase.END:
            return
        if defect.phase is DefectPhase.END:
            self._tell("defect.end", defect_state(defect))
            self._told.pop(defect.number, None)
            self._alarmed.discard(defect.number)
            return
        self._told[defect.number] = _Told(
            class_name=defect.class_name,
            severity=defect.severity,
            length_mm=defect.length_mm,
            area_mm2=defect.area_mm2,
        )

    def repeat(self, repeat: RollRepeat) -> None:
        """Tell of a roll repeat."""
        self._tell(f"roll-repeat.{repeat.phase}", repeat_state(repeat))
        cause = f"{self._coil} {repeat.number}"
        if repeat.phase is DefectPhase.NEW:
            rolls = ", ".join(repeat.rolls) or f"a roll of {repeat.diameter_mm:.0f} mm"
            self._news.alert(
                AlarmKind.ROLL_REPEAT,
                f"{rolls} leaves {repeat.class_name} every {repeat.period_mm:.0f} mm at "
                f"{repeat.across_mm:.0f} mm across, from {repeat.first_m:.2f} m on",
                coil=self._coil,
                cause=cause,
            )
        elif repeat.phase is DefectPhase.END:
            self._news.calm(AlarmKind.ROLL_REPEAT, cause=cause)

    def covered(self, interval: CoverageInterval) -> None:
        """Tell of a stretch of one camera, which follows the one before, where it is a gap."""
        self._watch_missed(interval)
        gap = self._gaps.get(interval.camera)
        if gap and (gap.status, gap.reason) == (interval.status, interval.reason):
            lines = dataclasses.replace(gap.lines, stop=interval.lines.stop)
            self._gaps[interval.camera] = dataclasses.replace(
                gap, lines=lines, along_end_m=interval.along_end_m
            )
            return
        if gap:
            self._end_gap(gap)
        if interval.status is not CoverageStatus.INSPECTED:
            self._gaps[interval.camera] = interval
            self._tell("coverage-gap.new", _gap(interval))

    def ended(
        self,
        status: CoilStatus,
        length_m: float | None,
        *,
        coverage: Iterable[CoverageInterval],
        defects: int,
    ) -> None:
        """Tell that the coil has passed.

        Args:
            status: How it ended.
            length_m: Its length in m, where it is known.
            coverage: All of it, as the store has it.
            defects: How many defects it has.
        """
        lengths_m = dict.fromkeys(CoverageStatus, 0.0)
        for interval in coverage:
            lengths_m[interval.status] += interval.length_m
        for gap in tuple(self._gaps.values()):
            self._end_gap(gap)
            self._news.calm(AlarmKind.NOT_INSPECTED, cause=self._cause_of(gap))
        data = CoilEnded.model_validate(
            {
                "status": status,
                "length_m": None if length_m is None else metres(length_m),
                "defects": defects,
                "coverage_m": coverage_metres(lengths_m),
            }
        )
        self._tell("coil.ended", data)
        if status == "failed":
            self._news.alert(
                AlarmKind.STATION, "the inspection of the coil has failed", coil=self._coil
            )

    def graded(self, judged: Replay) -> None:
        """Tell what the coil was found good for, and whose severity that has changed."""
        for change in judged.changes:
            self._alert(change.defect)
            self._tell("defect.judged", defect_state(change.defect))
        self._tell("coil.graded", grade_state(judged))
        self._news.graded(judged.grade)

    def _watch_missed(self, interval: CoverageInterval) -> None:
        cause = self._cause_of(interval)
        if interval.status not in _MISSED:
            self._news.calm(AlarmKind.NOT_INSPECTED, cause=cause)
            return
        self._missed_m += interval.length_m
        if self._missed_m > self._news.alarm.not_inspected_m:
            self._news.alert(
                AlarmKind.NOT_INSPECTED,
                f"{self._missed_m:.2f} m up to {interval.along_end_m:.2f} m were not inspected: "
                f"{interval.reason}",
                coil=self._coil,
                cause=cause,
            )
            self._missed_m = 0.0

    def _cause_of(self, interval: CoverageInterval) -> str:
        return f"{self._coil} {interval.camera}"

    def _end_gap(self, gap: CoverageInterval) -> None:
        del self._gaps[gap.camera]
        self._tell("coverage-gap.end", _gap(gap))

    def _alert(self, defect: Defect) -> None:
        if defect.severity in self._news.alarm.severities and defect.number not in self._alarmed:
            self._alarmed.add(defect.number)
            self._news.alert(
                AlarmKind.DEFECT,
                f"{defect.severity} {defect.class_name} at {defect.along_start_m:.2f} m, "
                f"{defect.across_left_mm:.0f} mm across",
                coil=self._coil,
            )

    def _tell(self, kind: str, data: EventData) -> None:
        self._news.tell(kind, data, coil=self._coil)


def _gap(gap: CoverageInterval) -> CoverageGap:
    return CoverageGap.model_validate(
        {
            "camera": gap.camera,
            "first_line": int(gap.lines.start),
            "along_start_m": metres(gap.along_start_m),
            "along_end_m": metres(gap.along_end_m),
            "status": str(gap.status),
            "reason": gap.reason,
        }
    )
