"""What it costs to bring blocks from a source to the inspection, by a thread and by a process.

A source plays blocks of 2048 px by 256 lines, as fast as they are taken or at the pace of a
camera. The inspection is idle but for a check of each block, or other Python threads of its process
are busy, as with stitching, reports and a web server. While it times it checks: every block must
have its own number and the picture's pixels, and those that are missing must be those counted as
dropped.

    python benchmarks/acquisition.py --out benchmarks/reports/acquisition.json
"""

import argparse
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from acquisition_tape import LINES, WIDTH, Tape, picture

from stripscan.contract.block import Block
from stripscan.runtime.acquire import acquire
from stripscan.runtime.acquisition_process import AcquisitionProcess
from stripscan.runtime.station import Station

BLOCK_MPX = LINES * WIDTH / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--paced-mpx-s", type=float, default=100.0, help="a GigE camera sends 100")
    parser.add_argument("--busy-threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    period_s = BLOCK_MPX / options.paced_mpx_s
    record: dict[str, object] = {
        "benchmark": "acquisition",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "block": f"{WIDTH} px by {LINES} lines",
        "seconds": options.seconds,
        "busy_threads": options.busy_threads,
        "paced_mpx_s": options.paced_mpx_s,
    }
    for name, period, overload in [
        ("full_speed", 0.0, "block"),
        ("paced", period_s, "drop-oldest"),
    ]:
        cases: dict[str, dict[str, float]] = {}
        for busy in (0, options.busy_threads):
            for process in (False, True):
                case = f"{'process' if process else 'thread'}, {'busy' if busy else 'idle'}"
                measured = measure(options.seconds, period, overload, busy=busy, process=process)
                cases[case] = measured
                print(f"{name:<11} {case:<14} {measured}")
        record[name] = cases
    if options.out:
        options.out.write_text(json.dumps(record, indent=2) + "\n")
    return 0


def measure(
    seconds: float, period_s: float, overload: str, *, busy: int, process: bool
) -> dict[str, float]:
    camera = {"mm_per_px": 0.5, "mm_per_line": 0.5}
    source = {"kind": "video", "uri": "rtsp://tape"}
    parts = {"name": "bench", "camera": camera, "source": source}
    station = Station.model_validate(parts | {"pipeline": {"overload": overload}})
    play = partial(Tape, seconds=seconds, period_s=period_s)
    template = picture()
    with AcquisitionProcess(station, opener=play) if process else play(station) as lines:
        queue = acquire(lines, station.pipeline)
        taken, took_s, waited_ms = 0, 0.0, []
        started_s, cpu_s = time.monotonic(), time.process_time()
        with working(busy):
            following = 0
            for block in queue.blocks():
                waited_ms.append((time.monotonic_ns() - block.host_ns) / 1e6)
                check(block, template, following)
                following, taken = block.lines.stop, taken + 1
                took_s = time.monotonic() - started_s  # not the end of a process
            cpu_s = time.process_time() - cpu_s
        stats = lines.stats
        if stats["played"] != taken + queue.dropped_blocks:
            raise SystemExit("FAILED: blocks are missing that nobody dropped")
    return {
        "blocks_s": round(taken / took_s, 1),
        "mpx_s": round(taken * BLOCK_MPX / took_s, 1),
        "dropped_blocks": queue.dropped_blocks,
        "waiting_p50_ms": round(float(np.percentile(waited_ms, 50)), 2),
        "waiting_p99_ms": round(float(np.percentile(waited_ms, 99)), 2),
        "source_late_max_ms": round(stats["late_us"] / 1e3, 2),
        "source_cpu_cores": round(stats["cpu_ms"] / 1e3 / took_s, 2),
        "inspection_process_cpu_cores": round(cpu_s / took_s, 2),
    }


def check(block: Block, template: np.ndarray, following: int) -> None:
    number = int.from_bytes(block.pixels[0, :8].tobytes(), "little")
    if (
        number * LINES != block.first_line
        or block.first_line - block.dropped_before != following
        or not np.array_equal(block.pixels[1:], template[1:])
    ):
        raise SystemExit(f"FAILED: block {number} is damaged or misplaced")


@contextmanager
def working(threads: int) -> Iterator[None]:
    """Let threads of Python hold the interpreter's lock whenever they get it."""
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            sum(number * number for number in range(2000))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        ended.set()
        for worker in workers:
            worker.join()


if __name__ == "__main__":
    sys.exit(main())
