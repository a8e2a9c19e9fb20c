"""Records as the page's scripts take them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from stripscan.contract.defect import Defect
from stripscan.contract.grading import Grading
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.report.thumbnails import thumbnail
from stripscan.runtime.store import CoilRecord, Store
from stripscan.runtime.web.reading import CoilView

_FIGURES = {
    "confidence": 3,
    "along_start_m": 3,
    "along_end_m": 3,
    "across_left_mm": 1,
    "across_right_mm": 1,
    "area_mm2": 2,
    "length_mm": 1,
    "width_mm": 1,
    "edge_left_mm": 1,
    "edge_right_mm": 1,
}
_PLAIN = (
    *("number", "phase", "class_name", "severity", "surface"),
    *("first_line", "last_line", "first_px", "last_px"),
)


def shown_defect(defect: Defect) -> dict[str, Any]:
    """Return a defect."""
    shown = {name: getattr(defect, name) for name in _PLAIN}
    shown |= {name: round(getattr(defect, name), digits) for name, digits in _FIGURES.items()}
    shown["class_share"] = {name: round(share, 3) for name, share in defect.class_share.items()}
    return shown


def shown_picture(store: Store, coil: CoilRecord, number: int) -> dict[str, Any] | None:
    """Return the picture of a defect with the outline of its mask, where there is one."""
    picture = store.picture(coil.id, number)
    if picture is None:
        return None
    small = thumbnail(
        picture,
        store.runs(coil.id, number),
        mm_per_px=coil.mm_per_px,
        mm_per_line=coil.mm_per_line,
    )
    if small is None:
        return None
    return asdict(small) | {
        "first_line": picture.first_line,
        "first_px": picture.first_px,
        "lines": picture.lines,
        "columns": picture.width,
    }


def shown_coil(record: CoilRecord, grading: Grading | None) -> dict[str, Any]:
    """Return a coil as the history lists it."""
    return {
        "id": record.id,
        "station": record.station,
        "camera": record.camera,
        "surface": record.surface,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "status": record.status,
        "length_m": record.length_m,
        "grade": grading.grade if grading else None,
    }


def shown_view(view: CoilView) -> dict[str, Any]:
    """Return all that is known of a coil without its defects one by one."""
    record = view.record
    return shown_coil(record, view.grading) | {
        "length_m": round(view.length_m, 3),
        "planned_m": record.stats.get("planned_length_m"),
        "width_mm": round(view.width_mm, 1),
        "width_px": record.width_px,
        "mm_per_px": record.mm_per_px,
        "mm_per_line": record.mm_per_line,
        "bundle": {"name": record.bundle_name, "digest": record.bundle_digest},
        "classes": [asdict(c) for c in record.classes],
        "coverage": [
            [s.camera, round(s.start_m, 3), round(s.end_m, 3), str(s.status), s.reason]
            for s in view.coverage
        ],
        "totals": {
            str(t.status): {"metres": round(t.length_m, 3), "percent": t.percent}
            for t in view.totals
        },
        "by_class": dict(view.by_class),
        "by_severity": dict(view.by_severity),
        "repeats": [_shown_repeat(repeat) for repeat in view.repeats],
        "grading": _shown_grading(view.grading),
        "latency_p99_ms": record.stats.get("latency_p99_ms"),
    }


def _shown_repeat(repeat: RollRepeat) -> Mapping[str, Any]:
    return asdict(repeat) | {"defects": len(repeat.defects), "phase": str(repeat.phase)}


def _shown_grading(grading: Grading | None) -> dict[str, Any] | None:
    if grading is None:
        return None
    return {
        "grade": grading.grade,
        "graded_at": grading.graded_at,
        "rules": f"{grading.rules_name} {grading.rules_version}",
        "reasons": [asdict(reason) for reason in grading.reasons],
    }
