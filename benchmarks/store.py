"""What a store takes: to write defects as they come, and to read a coil of 200,000.

Runs on a SQLite file and, where a URL is given, on an empty PostgreSQL database or schema. The
store also has two other coils of the same size. What is read is compared with what was written.
``own_cpu_ms`` is all that a read from SQLite takes, whatever else the machine does meanwhile; a
server's own work is not in it.

    python benchmarks/store.py --url postgresql+psycopg://… --json benchmarks/reports/store.json
"""

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from stripscan.contract.classes import NEU_CLASSES, SEVERITIES
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.errors import StripscanError
from stripscan.contract.files import write_file
from stripscan.runtime.store import CoilRecord, Store

NAMES = [c.name for c in NEU_CLASSES]
BAND = 20
"""Defects in a transaction: 200 a second, ten bands a second."""


def a_coil(name: str) -> CoilRecord:
    return CoilRecord(
        id=name,
        station="benchmark",
        camera="top",
        surface="top",
        started_at=f"2026-01-01T00:00:00.{name}",
        width_px=2048,
        mm_per_px=0.5,
        mm_per_line=0.5,
        bundle_name="neu",
        bundle_digest="sha256:ab",
        classes=NEU_CLASSES,
    )


def defects(coil: str, count: int) -> list[Defect]:
    rng = np.random.default_rng(3)
    along_m = np.sort(rng.uniform(0, 1000, count))
    across_mm, length_m = rng.uniform(0, 1000, count), rng.exponential(0.05, count)
    area_mm2, kind = rng.exponential(20, count), rng.integers(0, len(NAMES), count)
    severity = rng.choice(len(SEVERITIES), count, p=[0.02, 0.18, 0.8])
    return [
        Defect(
            coil=coil,
            number=i + 1,
            phase=DefectPhase.END,
            class_name=NAMES[kind[i]],
            confidence=0.9,
            class_share={NAMES[kind[i]]: 0.75, "inclusion": 0.25},
            severity=SEVERITIES[severity[i]],
            along_start_m=along_m[i],
            along_end_m=along_m[i] + length_m[i],
            across_left_mm=across_mm[i],
            across_right_mm=across_mm[i] + 5,
            area_mm2=area_mm2[i],
            length_mm=length_m[i] * 1000,
            width_mm=5.0,
            edge_left_mm=across_mm[i],
            edge_right_mm=1000 - across_mm[i],
            first_line=int(along_m[i] * 2000),
            last_line=int(along_m[i] * 2000) + 50,
            first_px=100,
            last_px=110,
            area_px=int(area_mm2[i] * 4) + 1,
        )
        for i in range(count)
    ]


def fill(store: Store, coil: str, found: list[Defect]) -> float:
    """Return µs a defect, all in one transaction."""
    store.start_coil(a_coil(coil))
    start = time.perf_counter()
    with store.transaction():
        for defect in found:
            store.put_defect(defect)
    return (time.perf_counter() - start) / len(found) * 1e6


def bands(store: Store, found: list[Defect]) -> dict[str, float]:
    """Return how long bands of defects with their masks take, in ms."""
    store.start_coil(a_coil("bands"))
    runs = np.array([[line, 10, 30] for line in range(20)], np.int64)
    took_ms = []
    for start in range(0, min(len(found), 500 * BAND), BAND):
        begun = time.perf_counter()
        with store.transaction():
            for defect in found[start : start + BAND]:
                store.put_defect(defect)
                store.add_runs(defect.coil, defect.number, runs)
        took_ms.append((time.perf_counter() - begun) * 1e3)
    return {
        "p50_ms": float(np.percentile(took_ms, 50)),
        "p99_ms": float(np.percentile(took_ms, 99)),
        "max_ms": max(took_ms),
    }


def reads(store: Store, found: list[Defect], repeats: int) -> dict[str, dict[str, float]]:
    """Return how long each way to read a coil takes, after checking what it gives."""
    area = sorted(found, key=lambda d: (-d.area_mm2, d.number))
    worst = sorted(area, key=lambda d: SEVERITIES.index(d.severity))
    rare = [d for d in found if d.class_name == NAMES[2] and d.severity == "critical"]
    metres = [d for d in found if d.along_end_m >= 500 and d.along_start_m <= 510]
    coil, last = found[0].coil, found[len(found) // 2]
    by = {"coil": coil, "limit": 100}
    pages: dict[str, tuple[Callable[[], object], object]] = {
        "first page": (lambda: store.defect_page(**by), found[:100]),
        "page in the middle": (
            lambda: store.defect_page(**by, after=last.number),
            found[last.number : last.number + 100],
        ),
        "largest": (lambda: store.defect_page(**by, order="area"), area[:100]),
        "worst": (lambda: store.defect_page(**by, order="severity"), worst[:100]),
        "worst, second page": (
            lambda: store.defect_page(**by, order="severity", after=worst[99].number),
            worst[100:200],
        ),
        "class and severity": (
            lambda: store.defect_page(**by, classes=[NAMES[2]], severities=["critical"]),
            rare[:100],
        ),
        "10 m, along": (
            lambda: store.defect_page(**by, along_m=(500, 510), order="along"),
            metres[:100],
        ),
        "none so large": (lambda: store.defect_page(**by, min_area_mm2=1e9), []),
    }
    table = {}
    for name, (read, expected) in pages.items():
        if list(read()) != expected:  # type: ignore[call-overload]
            raise StripscanError(f"{name}: what is read is not what was written")
        table[name] = timed(read, repeats)
    shown = store.defect_map(coil)
    if shown.along_end_m.tolist() != [d.along_end_m for d in found] or (
        [NAMES[i] for i in shown.class_index] != [d.class_name for d in found]
    ):
        raise StripscanError("the map is not what was written")
    table["map"] = timed(lambda: store.defect_map(coil), repeats)
    if sum(c.count for c in store.counts(coil)) != len(found):
        raise StripscanError("the counts are not those of what was written")
    table["counts"] = timed(lambda: store.counts(coil), repeats)
    return table


def timed(read: Callable[[], object], repeats: int) -> dict[str, float]:
    took_ms, cpu_ms = [], []
    for _ in range(repeats):
        start, cpu = time.perf_counter(), time.process_time()
        read()
        took_ms.append((time.perf_counter() - start) * 1e3)
        cpu_ms.append((time.process_time() - cpu) * 1e3)
    return {
        "own_cpu_ms": float(np.median(cpu_ms)),
        "min_ms": min(took_ms),
        "p50_ms": float(np.median(took_ms)),
        "max_ms": max(took_ms),
    }


def measure_store(place: Path | str, count: int, repeats: int) -> dict[str, object]:
    found = defects("coil", count)
    with Store.open(place) as store:
        fill(store, "a", defects("a", count))
        figures: dict[str, object] = {
            "put_defect_us": fill(store, "coil", found),
            "band of 20 defects": bands(store, defects("bands", count)),
        }
        fill(store, "z", defects("z", count))
    with Store.open(place, readonly=True) as store:
        figures["reads"] = reads(store, found, repeats)
    return figures


def raw_write_us(folder: Path, count: int) -> float:
    """Return what the same defects take through sqlite3 alone, in µs each."""
    path = folder / "raw.sqlite"
    Store.open(path).close()
    with sqlite3.connect(path, isolation_level=None) as raw, Store.open(path) as store:
        store.start_coil(a_coil("coil"))
        found = defects("coil", count)
        with store.transaction():
            store.put_defect(found[0])
        names = [row[1] for row in raw.execute("PRAGMA table_info(defect)")]
        changes = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
        sql = (
            f"INSERT INTO defect VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - ours
            f" ON CONFLICT (coil, number) DO UPDATE SET {changes}"
        )
        start = time.perf_counter()
        raw.execute("BEGIN IMMEDIATE")
        for defect in found:
            values = {name: getattr(defect, name) for name in names}
            values["phase"] = str(defect.phase)
            values["class_share"] = json.dumps({k: float(v) for k, v in defect.class_share.items()})
            plain = [v.item() if isinstance(v, np.generic) else v for v in values.values()]
            raw.execute(sql, plain).fetchall()
        raw.execute("COMMIT")
        return (time.perf_counter() - start) / count * 1e6


def measure(options: argparse.Namespace) -> dict[str, object]:
    databases: dict[str, object] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        databases["sqlite"] = {
            "version": sqlite3.sqlite_version,
            "raw_sqlite3_us": raw_write_us(folder, options.defects),
            **measure_store(folder / "line.sqlite", options.defects, options.repeats),
        }
        if options.url:
            databases["postgresql"] = measure_store(options.url, options.defects, options.repeats)
    return {
        "benchmark": "store",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlalchemy": version("sqlalchemy"),
        "defects_a_coil": options.defects,
        "databases": databases,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where the file is made; the usual if none")
    parser.add_argument("--url", help="an empty PostgreSQL database or schema")
    parser.add_argument("--json", type=Path, help="write the record here")
    parser.add_argument("--defects", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    try:
        record = measure(options)
        if options.json:
            write_file(options.json, json.dumps(record, indent=2).encode() + b"\n")
    except StripscanError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(record, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
