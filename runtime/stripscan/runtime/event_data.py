"""Records of the inspection as what events say of them: tenths of a millimetre are enough."""

from collections.abc import Mapping

from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.defect import Defect
from stripscan.contract.event import (
    CoilGraded,
    CoverageMetres,
    DefectState,
    GradeReason,
    RollRepeatState,
)
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.rules.replay import Replay


def metres(value: float) -> float:
    """Round metres."""
    return round(float(value), 4)


def millimetres(value: float) -> float:
    """Round millimetres."""
    return round(float(value), 1)


def defect_state(defect: Defect) -> DefectState:
    """Return a defect as an event says it."""
    return DefectState(
        number=int(defect.number),
        class_name=defect.class_name,
        severity=defect.severity,
        confidence=round(float(defect.confidence), 3),
        surface=defect.surface,
        along_start_m=metres(defect.along_start_m),
        along_end_m=metres(defect.along_end_m),
        across_left_mm=millimetres(defect.across_left_mm),
        across_right_mm=millimetres(defect.across_right_mm),
        length_mm=millimetres(defect.length_mm),
        width_mm=millimetres(defect.width_mm),
        area_mm2=millimetres(defect.area_mm2),
        edge_left_mm=millimetres(defect.edge_left_mm),
        edge_right_mm=millimetres(defect.edge_right_mm),
    )


def repeat_state(repeat: RollRepeat) -> RollRepeatState:
    """Return a roll repeat as an event says it."""
    return RollRepeatState(
        number=repeat.number,
        class_name=repeat.class_name,
        rolls=repeat.rolls,
        period_mm=millimetres(repeat.period_mm),
        diameter_mm=millimetres(repeat.diameter_mm),
        across_mm=millimetres(repeat.across_mm),
        first_m=metres(repeat.first_m),
        last_m=metres(repeat.last_m),
        prints=repeat.prints,
        missed=repeat.missed,
    )


def grade_state(judged: Replay) -> CoilGraded:
    """Return a grade as an event says it."""
    rules = judged.rules
    reasons = (GradeReason(rule=r.rule, verdict=r.verdict, text=r.text) for r in judged.reasons)
    return CoilGraded(
        grade=judged.grade,
        rules=rules.file.name,
        rules_version=rules.file.version,
        rules_sha256=rules.sha256,
        reasons=tuple(reasons),
    )


def coverage_metres(lengths_m: Mapping[CoverageStatus, float]) -> CoverageMetres:
    """Return lengths by status as an event says them."""
    return CoverageMetres(**{str(status): metres(length) for status, length in lengths_m.items()})
