"""A store with coils, and the live page over it, without sockets."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from fastapi import FastAPI
from starlette.testclient import TestClient

from stripscan.contract.block import LineRange
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.grading import Grading, Reason
from stripscan.runtime.station import Station, load_station
from stripscan.runtime.store import CoilRecord, Picture, Store
from stripscan.runtime.store_records import CoilStatus
from stripscan.runtime.web.app import create_app
from stripscan.runtime.web.database import WebDatabase

PASSWORD = "correct horse battery"  # noqa: S105 - of tests alone
LENGTH_M = 100.0

STATION = """\
name = "line 1"
[camera]
mm_per_px = 0.5
mm_per_line = 0.5
[source]
kind = "folder"
path = "images"
[store]
path = "line.db"
[control]
address = "127.0.0.1:{control}"
[web]
address = "127.0.0.1:{web}"
"""


def a_station(folder: Path, *, web: int = 8621, control: int = 9) -> Station:
    """Write and load a station; nobody listens on port 9."""
    path = folder / "station.toml"
    path.write_text(STATION.format(web=web, control=control), encoding="utf-8")
    return load_station(path)


def a_defect(number: int, *, coil: str, at_m: float) -> Defect:
    known = NEU_CLASSES[number % len(NEU_CLASSES)]
    line, px = round(at_m * 2000), 20 + number * 37 % 900
    return Defect(
        coil=coil,
        number=number,
        phase=DefectPhase.END,
        class_name=known.name,
        confidence=0.5 + number % 50 / 100,
        class_share={known.name: 1.0},
        severity=known.severity,
        along_start_m=at_m,
        along_end_m=at_m + 0.01,
        across_left_mm=px / 2,
        across_right_mm=px / 2 + 10,
        area_mm2=float(number % 97 + 1),
        length_mm=10.0,
        width_mm=10.0,
        edge_left_mm=px / 2,
        edge_right_mm=500 - px / 2,
        first_line=line,
        last_line=line + 19,
        first_px=px,
        last_px=px + 19,
        area_px=400,
    )


def a_picture(defect: Defect) -> Picture:
    image = np.full((40, 40), 120, np.uint8)
    image[10:30, 10:30] = 40
    return Picture(
        image_png=cv2.imencode(".png", image)[1].tobytes(),
        first_line=defect.first_line - 10,
        first_px=defect.first_px - 10,
        lines=40,
        width=40,
    )


def put_coil(
    store: Store,
    coil: str,
    *,
    defects: int = 12,
    status: CoilStatus = "complete",
    started_at: str = "2026-11-20T08:00:00.000+00:00",
    pictures: bool = True,
) -> list[Defect]:
    """Put a coil of 100 m into a store, 2 m of which nobody inspected, and return its defects."""
    store.start_coil(
        CoilRecord(
            id=coil,
            station="line 1",
            camera="top",
            surface="top",
            started_at=started_at,
            width_px=1024,
            mm_per_px=0.5,
            mm_per_line=0.5,
            bundle_name="small",
            bundle_digest="0" * 64,
            classes=NEU_CLASSES,
        )
    )
    places = np.linspace(0.5, LENGTH_M - 1, defects)
    found = [a_defect(n, coil=coil, at_m=float(m)) for n, m in enumerate(places, 1)]
    with store.transaction():
        for defect in found:
            store.put_defect(defect)
            if pictures:
                runs = [
                    [defect.first_line + k, defect.first_px, defect.last_px + 1] for k in range(20)
                ]
                store.add_runs(coil, defect.number, np.array(runs))
                store.put_picture(coil, defect.number, a_picture(defect))
        for interval in _coverage():
            store.put_coverage(coil, interval)
        if status != "running":
            store.finish_coil(coil, ended_at=started_at, status=status, length_m=LENGTH_M, stats={})
            store.put_grading(_grading(coil))
    return found


def _coverage() -> Sequence[CoverageInterval]:
    whole, gap = CoverageStatus.INSPECTED, CoverageStatus.DROPPED
    parts = ((0.0, 40.0, whole, ""), (40.0, 42.0, gap, "lost lines"), (42.0, LENGTH_M, whole, ""))
    return [
        CoverageInterval(
            camera="top",
            lines=LineRange(start=round(start * 2000), stop=round(stop * 2000)),
            along_start_m=start,
            along_end_m=stop,
            status=status,
            reason=reason,
        )
        for start, stop, status, reason in parts
    ]


def _grading(coil: str) -> Grading:
    return Grading(
        coil=coil,
        graded_at="2026-11-20T08:10:00.000+00:00",
        rules_name="mill",
        rules_version="3",
        rules_sha256="0" * 64,
        rules_text="",
        grade="hold",
        reasons=(Reason(rule="gaps", verdict="hold", text="2.00 m were not inspected"),),
    )


def an_app(folder: Path, *, coils: Sequence[str] = ("C-1",)) -> FastAPI:
    """Return the live page over a new store."""
    with Store.open(folder / "line.db") as store:
        for coil in coils:
            put_coil(store, coil)
    return create_app(a_station(folder), WebDatabase(folder / "web.db"))


def log_in(client: TestClient, user: str, password: str = PASSWORD) -> int:
    """Log in as a browser does, and return the status; the client bears the token from then on."""
    page = client.get("/login")
    answer = client.post(
        "/api/login",
        json={"user": user, "password": password},
        headers={"X-CSRF-Token": token_in(page.text)},
    )
    if answer.status_code == 204:
        client.headers["X-CSRF-Token"] = token_in(client.get("/history").text)
    return answer.status_code


def token_in(page: str) -> str:
    return page.partition('name="csrf" content="')[2].partition('"')[0]
