"""Rows of a store's tables, and the records that they are."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

import numpy as np

from stripscan.contract.block import LineRange
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.errors import StoreError
from stripscan.contract.grading import Grading
from stripscan.contract.rle import Runs
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.store_records import (
    CoilRecord,
    dump_classes,
    dump_reasons,
    dump_stats,
    load_classes,
    load_reasons,
    unpack_runs,
)

Row = Mapping[str, Any]

_COIL: Final = tuple(f.name for f in fields(CoilRecord))
_DEFECT: Final = tuple(f.name for f in fields(Defect))
_GRADING: Final = tuple(f.name for f in fields(Grading))
_REPEAT: Final = tuple(f.name for f in fields(RollRepeat) if f.name != "defects")


def plain(value: object) -> object:
    """Return a number of numpy as one of Python, and all else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def coil_row(record: CoilRecord) -> Row:
    """Return the row of a coil."""
    values = {name: getattr(record, name) for name in _COIL}
    return values | {"classes": dump_classes(record.classes), "stats": dump_stats(record.stats)}


def coil_of(row: Row, *, name: str) -> CoilRecord:
    """Return the coil of a row.

    Args:
        row: The row.
        name: The store, for the message.

    Raises:
        StoreError: The row is damaged.
    """
    try:
        read = {"classes": load_classes(row["classes"]), "stats": json.loads(row["stats"])}
    except (ValueError, TypeError) as error:
        raise StoreError(f"{name} is damaged: coil {row['id']} cannot be read ({error})") from error
    return CoilRecord(**{**row, **read})


def defect_row(defect: Defect) -> Row:
    """Return the row of a defect."""
    values = {name: getattr(defect, name) for name in _DEFECT}
    values["phase"] = str(defect.phase)
    values["class_share"] = json.dumps({k: float(v) for k, v in defect.class_share.items()})
    return values


def defect_of(row: Row) -> Defect:
    """Return the defect of a row."""
    read = {"phase": DefectPhase(row["phase"]), "class_share": json.loads(row["class_share"])}
    return Defect(**{**row, **read})


def interval_row(coil: str, interval: CoverageInterval) -> Row:
    """Return the row of an interval."""
    return {
        "coil": coil,
        "camera": interval.camera,
        "first_line": interval.lines.start,
        "stop_line": interval.lines.stop,
        "along_start_m": interval.along_start_m,
        "along_end_m": interval.along_end_m,
        "status": str(interval.status),
        "reason": interval.reason,
    }


def interval_of(row: Row) -> CoverageInterval:
    """Return the interval of a row."""
    return CoverageInterval(
        camera=row["camera"],
        lines=LineRange(start=row["first_line"], stop=row["stop_line"]),
        along_start_m=row["along_start_m"],
        along_end_m=row["along_end_m"],
        status=CoverageStatus(row["status"]),
        reason=row["reason"],
    )


def grading_row(grading: Grading) -> Row:
    """Return the row of a judgement."""
    values = {name: getattr(grading, name) for name in _GRADING}
    return values | {"reasons": dump_reasons(grading.reasons)}


def grading_of(row: Row, *, name: str) -> Grading:
    """Return the judgement of a row.

    Args:
        row: The row.
        name: The store, for the message.

    Raises:
        StoreError: The row is damaged.
    """
    try:
        reasons = load_reasons(row["reasons"])
    except (ValueError, TypeError) as error:
        raise StoreError(
            f"{name} is damaged: a grading of coil {row['coil']} cannot be read ({error})"
        ) from error
    return Grading(**{key: row[key] for key in _GRADING} | {"reasons": reasons})


def repeat_row(repeat: RollRepeat) -> Row:
    """Return the row of a roll repeat, without its defects."""
    values = {name: getattr(repeat, name) for name in _REPEAT}
    return values | {"phase": str(repeat.phase), "rolls": json.dumps(repeat.rolls)}


def repeat_of(row: Row, defects: Iterable[int]) -> RollRepeat:
    """Return the roll repeat of a row."""
    read = {"phase": DefectPhase(row["phase"]), "rolls": tuple(json.loads(row["rolls"]))}
    return RollRepeat(**{**row, **read}, defects=tuple(defects))


def runs_of(packed: bytes, *, name: str) -> Runs:
    """Return the runs of a part of a mask.

    Args:
        packed: As the store has them.
        name: The store, for the message.

    Raises:
        StoreError: They are damaged.
    """
    try:
        return unpack_runs(packed)
    except ValueError as error:
        raise StoreError(f"{name} is damaged: {error}") from error
