"""Whether a station runs on as it began: memory, latency and losses over half an hour.

A station in a process of its own, with acquisition in another, inspects a strip with a stated
number of defects a second; coil follows coil by HTTP. Its model is a threshold, so that the
rest of the chain has the work: it is what could grow. Every ten seconds the memory of both
processes and the latency from the last line to the commit are read. At the end each planted
defect must be in the store, each line in a coil's ledger, and nothing lost.

    python benchmarks/soak.py --minutes 30 --out benchmarks/reports/soak.json
"""

import argparse
import json
import os
import platform
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from soak_strip import CELLS, LINES, WIDTH, Strip, spots, station

from stripscan.contract.bundle import open_bundle, write_bundle
from stripscan.contract.manifest import InputSpec, ManifestDraft, ParityReport, VariantDraft
from stripscan.runtime.acquisition_process import AcquisitionProcess
from stripscan.runtime.daemon import default_bundle_path, run_station
from stripscan.runtime.store import CoilRecord, Store

LINE_RATE_HZ = 2000.0
INTERVAL_S = 10.0
MIN_AREA_PX = 10
MEMORY_LIMIT = 0.02
LATENCY_LIMIT = 1.2


@dataclass(frozen=True)
class Sample:
    """One interval: its end since the start, and what was measured at it or within it."""

    at_s: float
    daemon_mb: float
    acquisition_mb: float
    defects: float
    latency: dict[float, float]
    lost_lines: float
    dropped_blocks: float
    cpu_s: float
    store_mb: float
    wal_mb: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--defects-per-s", type=float, default=200.0)
    parser.add_argument("--coil-s", type=float, default=60.0)
    parser.add_argument("--note", default="", help="what else the machine did, for the report")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--daemon", nargs=2, metavar=("FOLDER", "ADDRESS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    share = options.defects_per_s / (LINE_RATE_HZ / LINES * CELLS)
    if options.minutes < 3:
        parser.error("what grows slowly needs at least 3 minutes")
    if share > 1:
        parser.error(f"the strip has room for {LINE_RATE_HZ / LINES * CELLS:g} defects a second")
    if options.daemon:
        return daemon(Path(options.daemon[0]), options.daemon[1], share)
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        put_bundle(folder / "bundle")
        with running(folder, options) as (process, url):
            samples = watch(process, url, folder, options)
        record: dict[str, Any] = judged(samples, options)
        record["store"] = checked = check_store(folder, share)
        record["verdict"] |= {"every line is inspected, each defect found": checked["all_found"]}
    print(json.dumps({k: v for k, v in record.items() if k != "intervals"}, indent=2))
    if options.out:
        options.out.write_text(json.dumps(record, indent=2) + "\n")
    return 0 if all(record["verdict"].values()) else 1


def daemon(folder: Path, address: str, share: float) -> int:
    strip = partial(Strip, share=share, line_rate_hz=LINE_RATE_HZ)
    run_station(station(folder, address=address), lines=partial(AcquisitionProcess, opener=strip))
    return 0


def put_bundle(path: Path) -> None:
    """Write a bundle whose model calls every dark pixel an inclusion."""
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Less", ["grey", "limit"], ["dark"]),
        helper.make_node("Cast", ["dark"], ["share"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["share", "number"], ["class"]),
        helper.make_node("Mul", ["share", "sure"], ["sureness"]),
        helper.make_node("Cast", ["class"], ["mask"], to=TensorProto.UINT8),
        helper.make_node("Cast", ["sureness"], ["score"], to=TensorProto.UINT8),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.FLOAT, [], [value])
        for name, value in (("limit", 60.0), ("number", 2.0), ("sure", 200.0))
    ]
    tensors = {
        name: helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", "h", "w"])
        for name in ("image", "mask", "score")
    }
    graph = helper.make_graph(
        nodes, "threshold", [tensors["image"]], [tensors["mask"], tensors["score"]], constants
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_bundle(path, manifest(), {"model.onnx": model.SerializeToString()})


def manifest() -> ManifestDraft:
    known = open_bundle(default_bundle_path()).manifest
    parity = ParityReport(
        tiles=1,
        max_abs_logit_error=0.0,
        logit_scale=1.0,
        mask_agreement=1.0,
        per_class_iou={},
        passed=True,
        seed=0,
    )
    variant = VariantDraft(
        engine="onnx", precision="fp32", file="model.onnx", batch="dynamic", parity=parity
    )
    return ManifestDraft(
        name="threshold",
        created=datetime.now(UTC),
        stripscan_version=known.stripscan_version,
        classes=known.classes,
        input=InputSpec(tile_px=128, halo_px=16, mm_per_px=0.5, size_multiple_px=32),
        thresholds=known.thresholds,
        min_area_px=dict.fromkeys(known.min_area_px, MIN_AREA_PX),
        variants=(variant,),
        evaluation=known.evaluation,
        provenance=known.provenance,
        golden=(),
    )


@contextmanager
def running(folder: Path, options: argparse.Namespace) -> Iterator[tuple[int, str]]:
    """Start the station and yield its process id and address; end it as systemd would."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    share = ["--defects-per-s", str(options.defects_per_s)]
    command = [sys.executable, __file__, "--daemon", str(folder), address, *share]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, stderr=log)
        try:
            limit_s = time.monotonic() + 60
            while not answers(f"http://{address}/readyz"):
                if process.poll() is not None or time.monotonic() > limit_s:
                    raise SystemExit((folder / "log.txt").read_text())
                time.sleep(0.1)
            yield process.pid, f"http://{address}"
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own station
            return True
    except OSError:
        return False


def watch(process: int, url: str, folder: Path, options: argparse.Namespace) -> list[Sample]:
    """Start coil after coil, and measure until the time is over."""
    began_s, coil, samples = time.monotonic(), 0, []
    end_s = began_s + 60 * options.minutes
    while True:
        now_s = time.monotonic()
        if now_s >= began_s + coil * options.coil_s:
            start_coil(url, f"coil-{coil:03}")
            coil += 1
        if now_s >= began_s + len(samples) * INTERVAL_S:
            samples.append(sample(now_s - began_s, process, url, folder))
            if len(samples) > 1:
                print(told(samples[-2], samples[-1]), flush=True)
        if now_s >= end_s:
            return samples
        next_s = min(began_s + coil * options.coil_s, began_s + len(samples) * INTERVAL_S, end_s)
        time.sleep(max(next_s - time.monotonic(), 0.0))


def start_coil(url: str, name: str) -> None:
    body = json.dumps({"id": name}).encode()
    request = urllib.request.Request(  # noqa: S310 - our own station
        f"{url}/coils", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass


def sample(at_s: float, process: int, url: str, folder: Path) -> Sample:
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: S310
        text = answer.read().decode()
    child = next(iter(children(process)))
    buckets = re.findall(r'latency_seconds_bucket{le="([0-9.e+-]+)"} (\S+)', text)
    return Sample(
        at_s=round(at_s, 2),
        daemon_mb=memory_mb(process),
        acquisition_mb=memory_mb(child),
        defects=sum(
            float(n) for n in re.findall(r"^stripscan_defects_total{.*} (\S+)", text, re.M)
        ),
        latency={float(bound) * 1000: float(count) for bound, count in buckets},
        lost_lines=counter(text, "lost_lines_total"),
        dropped_blocks=counter(text, "dropped_blocks_total"),
        cpu_s=cpu_s(process) + cpu_s(child),
        store_mb=(folder / "soak.db").stat().st_size / 1e6,
        wal_mb=(folder / "soak.db-wal").stat().st_size / 1e6,
    )


def counter(text: str, name: str) -> float:
    found = re.search(rf"^stripscan_{name} (\S+)", text, re.M)
    if found is None:
        raise SystemExit(f"FAILED: /metrics has no stripscan_{name}")
    return float(found[1])


def children(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # threads come and go
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def memory_mb(process: int) -> float:
    """Return the memory of a process in MB, the ring that two share divided among them.

    Files that are mapped, such as libraries, do not count: the kernel lets go of them as it likes,
    and divides them among all programs that use them.
    """
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    kinds = re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB", text, re.M)
    return sum(map(int, kinds)) * 1024 / 1e6


def cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile_ms(first: Sample, last: Sample, percent: float) -> float:
    """Return a percentile of the latency between two samples, straight between two bounds."""
    below, before_ms = 0.0, 0.0
    counts = {bound: count - first.latency[bound] for bound, count in last.latency.items()}
    rank = percent / 100 * max(counts.values())
    for bound_ms, count in sorted(counts.items()):
        if count >= rank and count > below:
            return round(before_ms + (bound_ms - before_ms) * (rank - below) / (count - below), 2)
        below, before_ms = count, bound_ms
    return float("inf")


def told(first: Sample, last: Sample) -> str:
    passed_s = last.at_s - first.at_s
    return (
        f"{last.at_s:6.0f} s  {last.daemon_mb:7.2f} + {last.acquisition_mb:6.2f} MB  "
        f"P50 {percentile_ms(first, last, 50):6.2f}  P99 {percentile_ms(first, last, 99):7.2f} ms  "
        f"{(last.defects - first.defects) / passed_s:6.1f} defects/s  "
        f"{(last.cpu_s - first.cpu_s) / passed_s:.2f} cores  {last.dropped_blocks:.0f} dropped  "
        f"{last.store_mb:.0f} MB, log {last.wal_mb:.1f} MB"
    )


def judged(samples: list[Sample], options: argparse.Namespace) -> dict[str, object]:
    """Return the figures of the run and whether they are good enough."""
    window_s = min(300.0, 15 * options.minutes)  # five minutes of thirty, of a trial less
    warm = [each for each in samples if each.at_s >= window_s - 1]
    early = [each for each in warm if each.at_s <= 2 * window_s + 1]
    late = [each for each in warm if each.at_s >= samples[-1].at_s - window_s - 1]
    memory = [statistics.median(total_mb(each) for each in part) for part in (early, late)]
    p99 = [percentile_ms(part[0], part[-1], 99) for part in (early, late)]
    p50 = [percentile_ms(part[0], part[-1], 50) for part in (early, late)]
    minutes = [
        statistics.median(total_mb(each) for each in warm[start : start + 6])
        for start in range(0, len(warm) - 5, 6)
    ]
    growth = max(minutes) / memory[0] - 1
    first, last = samples[0], samples[-1]
    passed_s = last.at_s - first.at_s
    return {
        "benchmark": "soak",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "note": options.note,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
        "sqlite": sqlite3.sqlite_version,
        "minutes": round(passed_s / 60, 2),
        "strip": f"{WIDTH} px at {LINE_RATE_HZ:g} lines/s, blocks of {LINES} lines",
        "coil_s": options.coil_s,
        "defects_per_s": round((last.defects - first.defects) / passed_s, 1),
        "cores": round((last.cpu_s - first.cpu_s) / passed_s, 2),
        "warm_up_s": window_s,
        "memory_mb": {"first": round(memory[0], 2), "last": round(memory[1], 2)},
        "highest_minute_over_first": round(growth, 4),
        "latency_p50_ms": {"first": p50[0], "last": p50[1]},
        "latency_p99_ms": {"first": p99[0], "last": p99[1]},
        "log_mb_max": round(max(each.wal_mb for each in samples), 2),
        "store_mb": round(last.store_mb, 1),
        "lost_lines": last.lost_lines,
        "dropped_blocks": last.dropped_blocks,
        "verdict": {
            "memory is flat": growth <= MEMORY_LIMIT,
            "latency is flat": p99[1] <= LATENCY_LIMIT * p99[0],
            "nothing is lost": last.lost_lines == last.dropped_blocks == 0,
        },
        "intervals": [
            {
                "at_s": after.at_s,
                "daemon_mb": round(after.daemon_mb, 2),
                "acquisition_mb": round(after.acquisition_mb, 2),
                "p50_ms": percentile_ms(before, after, 50),
                "p99_ms": percentile_ms(before, after, 99),
                "defects": after.defects - before.defects,
                "log_mb": round(after.wal_mb, 2),
            }
            for before, after in pairwise(samples)
        ],
    }


def total_mb(one: Sample) -> float:
    return one.daemon_mb + one.acquisition_mb


def check_store(folder: Path, share: float) -> dict[str, object]:
    """Compare the ledger and the defects of all coils with the strip, line for line.

    A spot that a change of coils cuts is a defect of both.
    """
    found = expected = head = 0
    lines: Counter[str] = Counter()
    with Store.open(folder / "soak.db", readonly=True) as store:
        coils = store.coils()[::-1]
        for coil in coils:
            head += int(coil.stats["lines_before_coil"])
            ledger = store.coverage(coil.id)
            ends = [(0, 0.0), *((each.lines.stop, each.along_end_m) for each in ledger)]
            starts = [(each.lines.start, each.along_start_m) for each in ledger]
            if starts != ends[:-1]:
                raise SystemExit(f"FAILED: the ledger of {coil.id} gapes")
            for each in ledger:
                lines[str(each.status)] += each.lines.lines
            found += len(store.defects(coil.id))
            expected += planted(head, head + ends[-1][0], share)
            head += ends[-1][0]
    return {
        "coils": len(coils),
        "lines": dict(lines),
        "defects": found,
        "defects_planted": expected,
        "latency_p99_ms_of_coils": stages(coils),
        "all_found": found == expected and set(lines) == {"inspected"},
    }


def stages(coils: Sequence[CoilRecord]) -> dict[str, list[float]]:
    """Return what the time went to, coil by coil: the 99th percentile of each stage.

    The last coil may have ended before its first row of tiles.
    """
    names = ("waiting", "inspection", "store")
    told = {name: [coil.stats[f"latency_{name}_p99_ms"] for coil in coils] for name in names}
    return {name: [round(float(ms), 2) for ms in each if ms] for name, each in told.items()}


def planted(start: int, stop: int, share: float) -> int:
    """Return how many spots are defects of a coil that has the lines from ``start`` to ``stop``.

    What a change of coils leaves of a spot may be smaller than a defect.
    """
    return sum(
        width * (min(block * LINES + top + height, stop) - max(block * LINES + top, start))
        >= MIN_AREA_PX
        for block in range(start // LINES, -(-stop // LINES))
        for _, top, width, height in spots(block, share)
    )


if __name__ == "__main__":
    sys.exit(main())
