"""Reports for programs: a JSON document with all masks, and a CSV of one row a defect."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from stripscan.contract.defect import Defect
from stripscan.contract.errors import StoreError
from stripscan.contract.files import atomic_write
from stripscan.runtime.report.model import Report

JSON_FORMAT: Final = "stripscan-report"
JSON_VERSION: Final = 1
"""Raised when a field changes its meaning or goes; a reader must refuse a higher one."""

MASK_ENCODING: Final = "line,start_px,stop_px"

CSV_DECIMALS: Final[dict[str, int | None]] = {
    "coil": None,
    "number": None,
    "class_name": None,
    "confidence": 4,
    "severity": None,
    "phase": None,
    "along_start_m": 4,
    "along_end_m": 4,
    "across_left_mm": 2,
    "across_right_mm": 2,
    "length_mm": 2,
    "width_mm": 2,
    "area_mm2": 3,
    "edge_left_mm": 2,
    "edge_right_mm": 2,
    "first_line": None,
    "last_line": None,
    "first_px": None,
    "last_px": None,
    "area_px": None,
    "surface": None,
}
"""Columns of the CSV in their order, with the decimals of those that are measured."""

CSV_REPEAT: Final = "roll_repeat"
"""Last column of the CSV: the roll repeat that a defect is a print of, if it is one."""


@contextmanager
def report_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors at writing a report into ``StoreError`` with its path.

    Raises:
        StoreError: Whatever the system met inside the block.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the report {path} cannot be written: {error.strerror or error}; "
            "check the folder, its permissions and the free space"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a report as UTF-8, whole or not at all.

    Raises:
        StoreError: It cannot be written.
    """
    with report_errors(path), atomic_write(path) as file:
        file.write(text.encode())


def json_document(report: Report) -> dict[str, Any]:
    """Return the report as JSON types.

    A mask is one flat list of runs: line, first column, column after the last, and so on.
    """
    return {
        "format": JSON_FORMAT,
        "version": JSON_VERSION,
        "coil": asdict(report.coil),
        "length_m": report.length_m,
        "strip_width_mm": report.strip_width_mm,
        "inspected_percent": report.inspected_percent,
        "by_severity": report.by_severity,
        "latency": asdict(report.latency),
        "throughput_mpx_s": report.throughput_mpx_s,
        "grading": asdict(report.grading) if report.grading else None,
        "coverage_totals": [asdict(t) for t in report.coverage_totals],
        "coverage": [asdict(s) for s in report.coverage],
        "classes": [
            {
                "name": c.defect_class.name,
                "title": c.defect_class.title,
                "count": c.count,
                "area_mm2": c.area_mm2,
                "by_severity": dict(c.by_severity),
            }
            for c in report.classes
        ],
        "roll_repeats": [asdict(r) for r in report.roll_repeats],
        "defects": [
            asdict(d.defect)
            | {"mask": {"encoding": MASK_ENCODING, "runs": d.mask.ravel().tolist()}}
            for d in sorted(report.defects, key=lambda d: d.defect.number)
        ],
    }


def write_json(report: Report, path: Path) -> None:
    """Write the report as one JSON document, the one of ``json_document``.

    Raises:
        StoreError: It cannot be written.
    """
    document = json_document(report)
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_text(path, text + "\n")


def write_csv(report: Report, path: Path) -> None:
    """Write the text of ``csv_text``.

    Raises:
        StoreError: It cannot be written.
    """
    write_text(path, csv_text(report))


def csv_text(report: Report) -> str:
    """Return one row a defect, by number, as RFC 4180; units are in the column names."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*CSV_DECIMALS, CSV_REPEAT])
    repeat_of = {number: r.number for r in report.roll_repeats for number in r.defects}
    for d in sorted(report.defects, key=lambda d: d.defect.number):
        measured = [_cell(d.defect, *column) for column in CSV_DECIMALS.items()]
        writer.writerow([*measured, repeat_of.get(d.defect.number, "")])
    return text.getvalue()


def _cell(defect: Defect, name: str, decimals: int | None) -> str:
    value = getattr(defect, name)
    return str(value) if decimals is None else f"{value:.{decimals}f}"
