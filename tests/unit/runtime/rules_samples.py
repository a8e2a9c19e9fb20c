"""What tests of the rules share: a defect, a coil, rules written as a mill would."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from stripscan.contract.block import LineRange
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.runtime.coil_extent import CoverageSpan
from stripscan.runtime.rules import grade
from stripscan.runtime.rules.grade import CoilFacts
from stripscan.runtime.rules.load import Rules, load_rules
from stripscan.runtime.rules.model import RulesFile
from stripscan.runtime.store import CoilRecord
from stripscan.runtime.toml_file import parse_toml

HEAD = 'schema_version = 1\nname = "mill"\nversion = "2026-03"\n'
COIL = CoilRecord(
    id="c1",
    station="exit",
    camera="cam",
    surface="top",
    started_at="2026-03-01T08:00:00+00:00",
    ended_at="2026-03-01T08:02:00+00:00",
    status="complete",
    width_px=2000,
    mm_per_px=0.5,
    mm_per_line=1.0,
    length_m=100.0,
    bundle_name="neu",
    bundle_digest="ab",
    classes=NEU_CLASSES,
)


def rules(text: str) -> RulesFile:
    return parse_toml(HEAD + text, RulesFile, file=Path("rules.toml"))


def write_rules(folder: Path, text: str, name: str = "rules.toml") -> Rules:
    path = folder / name
    path.write_text(HEAD + text, encoding="utf-8")
    return load_rules(path)


def a_defect(number: int = 1, *, at_m: float = 10.0, **changes: object) -> Defect:
    """Return a scratch of 250 × 4 mm, 100 mm from the left edge of a strip of 1,000 mm."""
    length_mm = changes.get("length_mm", 250.0)
    assert isinstance(length_mm, float)
    defect = Defect(
        coil="c1",
        number=number,
        phase=DefectPhase.END,
        class_name="scratches",
        confidence=0.9,
        class_share={"scratches": 1.0},
        severity="minor",
        along_start_m=at_m,
        along_end_m=at_m + length_mm / 1000,
        across_left_mm=100.0,
        across_right_mm=104.0,
        area_mm2=500.0,
        length_mm=250.0,
        width_mm=4.0,
        edge_left_mm=100.0,
        edge_right_mm=896.0,
        first_line=5,
        last_line=6,
        first_px=9,
        last_px=12,
        area_px=6,
    )
    return dataclasses.replace(defect, **changes)


def an_interval(start_m: float, end_m: float, status: str = "inspected") -> CoverageInterval:
    return CoverageInterval(
        camera="cam",
        lines=LineRange(start=round(start_m * 1000), stop=round(end_m * 1000)),
        along_start_m=start_m,
        along_end_m=end_m,
        status=CoverageStatus(status),
        reason="" if status == "inspected" else "the queue was full",
    )


def a_coil(*, lost_m: float = 0.0, **changes: object) -> CoilFacts:
    """Return a coil of 100 m, of which the last so many metres were not inspected."""
    seen = CoverageSpan(
        camera="cam", start_m=0.0, end_m=100.0 - lost_m, status=CoverageStatus.INSPECTED
    )
    lost = CoverageSpan(
        camera="cam", start_m=100.0 - lost_m, end_m=100.0, status=CoverageStatus.DROPPED
    )
    coil = CoilFacts(
        status="complete",
        length_m=100.0,
        width_mm=1000.0,
        coverage=(seen, lost) if lost_m else (seen,),
    )
    return dataclasses.replace(coil, **changes)


def densest(defects: Sequence[Defect], window_m: float) -> tuple[int, float]:
    starts, ends = [d.along_start_m for d in defects], [d.along_end_m for d in defects]
    return grade.densest(starts, ends, window_m)
