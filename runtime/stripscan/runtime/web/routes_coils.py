"""What is known of coils and their defects, for whoever may look on."""

import threading
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi.responses import HTMLResponse

from stripscan.runtime.report.export import csv_text
from stripscan.runtime.report.html import render_html
from stripscan.runtime.web.context import With
from stripscan.runtime.web.reading import Filter, Sort, known_coil
from stripscan.runtime.web.shown import shown_coil, shown_defect, shown_picture, shown_view

router = APIRouter(prefix="/api")

MAX_PAGE: Final = 200
MAX_PICTURES: Final = 60
_MAX_NUMBER: Final = 2**31 - 1

_REPORT_POLICY: Final = (
    "sandbox allow-scripts allow-modals; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)
"""For the report, a page of its own with its own script: it gets an origin of its own, which
reaches no cookie and no route, and its own policy names its script by hash."""

_one_report = threading.Lock()  # a report of 200,000 defects takes a core for some time

Coil = Annotated[str, Query(min_length=1, max_length=128)]
Number = Annotated[int, Query(ge=0, le=_MAX_NUMBER)]
Metres = Annotated[float | None, Query(ge=-1e6, le=1e6, allow_inf_nan=False)]
Area = Annotated[float | None, Query(ge=0, le=1e12, allow_inf_nan=False)]
Names = Annotated[list[Annotated[str, Query(max_length=64)]], Query(max_length=64)]


def _filter(
    *,
    class_name: Names = [],  # noqa: B006 - never changed
    severity: Names = [],  # noqa: B006 - the same
    from_m: Metres = None,
    to_m: Metres = None,
    min_mm2: Area = None,
    max_mm2: Area = None,
) -> Filter:
    return Filter(
        classes=frozenset(class_name),
        severities=frozenset(severity),
        from_m=from_m,
        to_m=to_m,
        min_mm2=min_mm2,
        max_mm2=max_mm2,
    )


Which = Annotated[Filter, Depends(_filter)]


@router.get("/coils")
def coils(
    *,
    context: With,
    search: Annotated[str, Query(max_length=128)] = "",
    grade: Literal["", "accept", "downgrade", "hold", "none"] = "",
    since: Annotated[str, Query(max_length=32)] = "",
    until: Annotated[str, Query(max_length=32)] = "",
    offset: Number = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> dict[str, Any]:
    """Return coils, the newest first.

    ``since`` and ``until`` are days or moments in ISO 8601, UTC, both included.
    """
    found = [
        shown_coil(record, grading)
        for record, grading in context.reader.coils()
        if search.casefold() in record.id.casefold()
        and (not grade or (grading.grade if grading else "none") == grade)
        and (not since or record.started_at >= since)
        and (not until or record.started_at[: len(until)] <= until)
    ]
    return {"total": len(found), "coils": found[offset : offset + limit]}


@router.get("/coil")
def coil(context: With, coil: Coil) -> dict[str, Any]:
    """Return a coil with coverage, counts, roll repeats and grade."""
    return shown_view(context.reader.coil(coil))


@router.get("/map")
def coil_map(context: With, coil: Coil, which: Which) -> dict[str, Any]:
    """Return the places of defects."""
    return context.reader.map(coil, which)


@router.get("/defects")
def defects(
    *,
    context: With,
    coil: Coil,
    which: Which,
    sort: Sort = "number",
    falling: bool = False,
    offset: Number = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> dict[str, Any]:
    """Return one page of defects."""
    total, page = context.reader.page(
        coil, which, sort=sort, falling=falling, offset=offset, limit=limit
    )
    return {"total": total, "defects": [shown_defect(defect) for defect in page]}


@router.get("/pictures")
def pictures(
    context: With,
    coil: Coil,
    number: Annotated[
        list[Annotated[int, Query(ge=0, le=_MAX_NUMBER)]],
        Query(min_length=1, max_length=MAX_PICTURES),
    ],
) -> dict[str, Any]:
    """Return defects with their pictures, by number; those that are not there are left out."""
    found = context.reader.defects(coil, number)
    with context.reader.store() as store:
        record = known_coil(store, coil)
        return {
            str(defect.number): shown_defect(defect)
            | {"picture": shown_picture(store, record, defect.number)}
            for defect in found
        }


@router.get("/report")
def report(context: With, coil: Coil, kind: Literal["html", "csv"] = "html") -> Response:
    """Return the report of a coil."""
    if not _one_report.acquire(timeout=30):
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "another report is being made")
    try:
        made = context.reader.report(coil)
        if kind == "csv":
            name = quote(f"{coil}.csv", safe="")
            return Response(
                csv_text(made),
                media_type="text/csv; charset=utf-8",
                headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
            )
        return HTMLResponse(render_html(made), headers={"Content-Security-Policy": _REPORT_POLICY})
    finally:
        _one_report.release()
