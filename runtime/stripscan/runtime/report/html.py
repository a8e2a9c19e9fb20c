"""The report for people: one HTML file that needs nothing else, and asks nobody for anything."""

import base64
import hashlib
import math
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from stripscan.contract.coverage import CoverageStatus
from stripscan.runtime.coil_extent import CoverageSpan, uninspected_m
from stripscan.runtime.report.export import write_text
from stripscan.runtime.report.model import Report, ReportDefect
from stripscan.runtime.report.thumbnails import Thumbnail, thumbnail

MAX_LISTED: Final = 20_000
"""Defects in the map and the table, the worst: more would not open in a browser."""

MAX_GAPS: Final = 12
"""Stretches that were not inspected, listed in words, the longest; the map has all."""

_ABSENT: Final = "–"
_SHOWN_STATS: Final = {"latency_p50_ms", "latency_p99_ms", "latency_max_ms", "throughput_mpx_s"}
_MEANING: Final = {
    CoverageStatus.INSPECTED: "by the full chain",
    CoverageStatus.DEGRADED: "with less than the full chain",
    CoverageStatus.DROPPED: "seen or lost on the way, not inspected",
    CoverageStatus.UNKNOWN: "nothing trustworthy was measured",
}


def write_html(report: Report, path: Path) -> None:
    """Write the report as one self-contained HTML file.

    Raises:
        StoreError: It cannot be written.
    """
    write_text(path, render_html(report))


def render_html(report: Report) -> str:
    """Return the report as HTML; every text of the coil is escaped, and no script of it runs."""
    folder = files("stripscan.runtime.report")
    script = (folder / "report.js").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": _number,
        "percent": _percent,
        "colour": _colour,
        "moment": _moment,
    }
    listed = report.defects[:MAX_LISTED]
    thumbnails = _thumbnails(report, listed)
    gaps = [s for s in report.coverage if s.status != CoverageStatus.INSPECTED]
    digest = hashlib.sha256(script.encode()).digest()
    return environment.from_string(
        (folder / "template.html.j2").read_text("utf-8")
    ).render(
        report=report,
        coil=report.coil,
        style=Markup((folder / "report.css").read_text("utf-8")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_digest=base64.b64encode(digest).decode(),
        data=htmlsafe_json_dumps(_page_data(report, listed, thumbnails), separators=(",", ":")),
        severities=[*report.by_severity],
        titles={c.defect_class.name: c.defect_class.title for c in report.classes},
        meaning=_MEANING,
        duration=_duration(report.coil.started_at, report.coil.ended_at),
        gaps=sorted(gaps, key=lambda s: -s.length_m)[:MAX_GAPS],
        gap_count=len(gaps),
        not_inspected_m=uninspected_m(gaps),
        most_of_class=max([c.count for c in report.classes], default=0),
        listed=len(listed),
        pictured=len(thumbnails),
        stats={k: v for k, v in report.coil.stats.items() if k not in _SHOWN_STATS},
    )


def _thumbnails(report: Report, listed: tuple[ReportDefect, ...]) -> dict[int, Thumbnail]:
    found = {}
    for d in listed:
        if d.picture is None:
            continue
        small = thumbnail(
            d.picture,
            d.mask,
            mm_per_px=report.coil.mm_per_px,
            mm_per_line=report.coil.mm_per_line,
        )
        if small is not None:
            found[d.defect.number] = small
    return found


def _page_data(
    report: Report, listed: tuple[ReportDefect, ...], thumbnails: dict[int, Thumbnail]
) -> dict[str, Any]:
    """Return what the page's script draws; columns, not rows, keep 20,000 defects small."""
    class_index = {c.defect_class.name: i for i, c in enumerate(report.classes)}
    severities = [*report.by_severity]
    defects = [d.defect for d in listed]
    return {
        "lengthM": round(report.length_m, 4),
        "widthMm": round(report.strip_width_mm, 2),
        "classes": [
            {"title": c.defect_class.title, "colour": _colour(c.defect_class.colour)}
            for c in report.classes
        ],
        "severities": severities,
        "coverage": [_span_data(s) for s in report.coverage],
        "rolls": [
            [round(r.first_m, 3), round(r.last_m, 3), round(r.across_mm, 1)]
            for r in report.roll_repeats
        ],
        "defects": {
            "number": [d.number for d in defects],
            "class": [class_index[d.class_name] for d in defects],
            "severity": [severities.index(d.severity) for d in defects],
            "confidence": [round(d.confidence, 3) for d in defects],
            "start": [round(d.along_start_m, 4) for d in defects],
            "end": [round(d.along_end_m, 4) for d in defects],
            "left": [round(d.across_left_mm, 1) for d in defects],
            "right": [round(d.across_right_mm, 1) for d in defects],
            "length": [round(d.length_mm, 1) for d in defects],
            "width": [round(d.width_mm, 1) for d in defects],
            "area": [round(d.area_mm2, 2) for d in defects],
            "edgeLeft": [round(d.edge_left_mm, 1) for d in defects],
            "edgeRight": [round(d.edge_right_mm, 1) for d in defects],
        }
        | ({"surface": [d.surface for d in defects]} if "," in report.coil.surface else {}),
        "pictures": {
            str(number): [t.uri, t.width, t.height, t.outline] for number, t in thumbnails.items()
        },
    }


def _span_data(span: CoverageSpan) -> list[str | float]:
    return [
        span.camera,
        round(span.start_m, 4),
        round(span.end_m, 4),
        span.status.value,
        span.reason,
    ]


def _number(value: float | int | str | None, decimals: int = 0) -> str:
    if value is None:
        return _ABSENT
    return value if isinstance(value, str) else f"{value:,.{decimals}f}"


def _percent(value: float) -> str:
    """Return a percentage that never rounds up: 99.999 % inspected must not read as 100 %."""
    if value in (0, 100):
        return f"{value:.0f}"
    return f"{math.floor(value * 100) / 100:.2f}" if value >= 0.01 else "< 0.01"


def _colour(text: str) -> str:
    return text if re.fullmatch(r"#[0-9a-fA-F]{6}", text) else "#8a939c"


def _parsed(moment: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(moment).astimezone(UTC) if moment else None
    except ValueError:
        return None


def _moment(text: str) -> str:
    moment = _parsed(text)
    return f"{moment:%d %b %Y, %H:%M:%S} UTC".lstrip("0") if moment else text


def _duration(started_at: str, ended_at: str | None) -> str:
    start, end = _parsed(started_at), _parsed(ended_at)
    if start is None or end is None or end < start:
        return ""
    minutes, seconds = divmod(round((end - start).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{seconds} s"]
    return " ".join(p for p in parts if p)
