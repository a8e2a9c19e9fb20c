"""What a store keeps beside defects and coverage, and how masks are packed."""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np

from stripscan.contract.classes import DefectClass
from stripscan.contract.grading import Reason
from stripscan.contract.rle import Runs

CoilStatus = Literal["running", "complete", "interrupted", "failed"]

Stat = float | int | str | None
"""One figure of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoilRecord:
    """One coil under one camera, from its head to its tail.

    Attributes:
        id: Name of the coil, unique in a store.
        station: Name of the station.
        camera: Name of the camera.
        surface: Side of the strip, e.g. ``"top"``.
        started_at: ISO 8601, UTC.
        ended_at: ISO 8601, UTC; none while running.
        status: ``interrupted`` where somebody or a crash stopped it, ``failed`` where an error did.
        width_px: Width of the camera's image.
        mm_per_px: Pitch across in mm.
        mm_per_line: Nominal pitch along in mm.
        length_m: Length in m, planned strip that never arrived included; none while running.
        bundle_name: Name of the bundle that inspected it.
        bundle_digest: Digest of that bundle's manifest.
        classes: Classes that the bundle can find.
        stats: Figures of the run. A report looks for ``latency_p50_ms``, ``latency_p99_ms``,
            ``latency_max_ms`` and ``throughput_mpx_s``, and lists the others as they are.
    """

    id: str
    station: str
    camera: str
    surface: str
    started_at: str
    ended_at: str | None = None
    status: CoilStatus = "running"
    width_px: int
    mm_per_px: float
    mm_per_line: float
    length_m: float | None = None
    bundle_name: str
    bundle_digest: str
    classes: tuple[DefectClass, ...]
    stats: Mapping[str, Stat] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the camera saw at a defect.

    Attributes:
        image_png: PNG, mono; usually ``lines`` high and ``width`` wide, possibly scaled.
        first_line: Line of the coil at the top.
        first_px: Camera column at the left.
        lines: Lines that it shows.
        width: Camera columns that it shows.
    """

    image_png: bytes
    first_line: int
    first_px: int
    lines: int
    width: int


def pack_runs(runs: Runs) -> bytes:
    """Pack runs for the store.

    The first line as little-endian int64, then zlib over little-endian int32 ``[3, n]``: steps
    from line to line, first columns, lengths in pixels. Small numbers side by side pack well.

    Args:
        runs: int64 ``[n, 3]``, sorted by line; its lines span less than 2³¹.
    """
    if not len(runs):
        return b""
    columns = np.empty((3, len(runs)), "<i4")
    columns[0] = np.diff(runs[:, 0], prepend=runs[:1, 0])
    columns[1] = runs[:, 1]
    columns[2] = runs[:, 2] - runs[:, 1]
    return np.array(runs[0, 0], "<i8").tobytes() + zlib.compress(columns.tobytes(), 1)


def unpack_runs(packed: bytes) -> Runs:
    """Return the runs that ``pack_runs`` packed.

    Raises:
        ValueError: The bytes are damaged.
    """
    if not packed:
        return np.empty((0, 3), np.int64)
    try:
        flat = np.frombuffer(zlib.decompress(packed[8:]), "<i4")
    except zlib.error as error:
        raise ValueError(f"a mask part is damaged: {error}") from error
    columns = flat.reshape(3, -1).astype(np.int64)
    line = np.frombuffer(packed[:8], "<i8")[0] + np.cumsum(columns[0])
    return np.stack([line, columns[1], columns[1] + columns[2]], axis=1)


def join_runs(parts: list[Runs]) -> Runs:
    """Return the parts of one mask as one, sorted by line, then column."""
    if not parts:
        return np.empty((0, 3), np.int64)
    if len(parts) == 1:
        return parts[0]
    runs = np.concatenate(parts)
    order: Runs = np.lexsort((runs[:, 1], runs[:, 0]))
    return runs[order]


def dump_classes(classes: tuple[DefectClass, ...]) -> str:
    """Return classes as JSON."""
    return json.dumps([asdict(c) for c in classes])


def load_classes(text: str) -> tuple[DefectClass, ...]:
    """Return the classes that ``dump_classes`` wrote."""
    return tuple(DefectClass(**c) for c in json.loads(text))


def dump_reasons(reasons: tuple[Reason, ...]) -> str:
    """Return reasons as JSON."""
    return json.dumps([asdict(reason) for reason in reasons])


def load_reasons(text: str) -> tuple[Reason, ...]:
    """Return the reasons that ``dump_reasons`` wrote."""
    return tuple(Reason(**reason) for reason in json.loads(text))


def dump_stats(stats: Mapping[str, Stat]) -> str:
    """Return figures as JSON; one that is not finite was not measured, and becomes null."""
    return json.dumps(
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in stats.items()
        },
        default=_number,
    )


def _number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a figure must be a number or a text, not {type(value).__name__}")
