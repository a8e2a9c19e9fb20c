"""What it costs to even out the light, and to bring 12 bits to 8.

Times the flat field as it is applied, with and without a dark reference, against whole arrays of
floats and against a table of 256 greys for each column; and the grey curve against floats. Each is
checked against floats in double precision first: at most half a grey off, ties aside.

    python benchmarks/conditioning.py --out benchmarks/reports/conditioning.json
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.conditioning.flat_field import FlatField, Flattener, Origin
from stripscan.runtime.conditioning.transfer import to_uint8

Pixels = NDArray[np.uint8]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width-px", type=int, default=2048)
    parser.add_argument("--lines", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    shape = (options.lines, options.width_px)
    pixels = rng.integers(0, 256, shape, np.uint8)
    deep = rng.integers(0, 4096, shape, np.uint16)
    plain = field(rng, options.width_px, has_offset=False)
    dark = field(rng, options.width_px, has_offset=True)
    table = column_table(dark)
    start = np.arange(options.width_px) * 256
    ways: dict[str, tuple[Callable[[], Any], NDArray[np.float64]]] = {
        "flat field": (partial(Flattener(plain).apply, pixels), exact(plain, pixels)),
        "flat field with dark": (partial(Flattener(dark).apply, pixels), exact(dark, pixels)),
        "float arrays with dark": (lambda: by_floats(dark, pixels), exact(dark, pixels)),
        "table for each column": (lambda: table[pixels + start], exact(dark, pixels)),
        "12 bits linear": (lambda: to_uint8(deep, bits=12), deep * (255 / 4095)),
        "12 bits sqrt": (
            lambda: to_uint8(deep, bits=12, transfer="sqrt"),
            255 * np.sqrt(deep / 4095),
        ),
        "12 bits by floats": (
            lambda: np.floor(deep.astype(np.float32) * (255 / 4095) + 0.5).astype(np.uint8),
            deep * (255 / 4095),
        ),
    }
    for name, (way, right) in ways.items():
        if np.abs(way() - right).max() > 0.5 + 1e-3:
            print(f"FAILED: {name} is more than half a grey off", file=sys.stderr)
            return 1
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):  # in turn, so that a busy moment hits all
        for name, (way, _) in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    record = report(seconds, pixels.size, options)
    print_table(record)
    if options.out:
        options.out.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    return 0


def field(rng: np.random.Generator, width: int, *, has_offset: bool) -> FlatField:
    origin = Origin(
        camera="bench",
        bits=8,
        transfer="linear",
        target="strip",
        source="random",
        learned_at="",
        lamp_hours=None,
        blocks=1,
        lines=1,
        stripscan_version="",
    )
    return FlatField(
        origin=origin,
        level_grey=120.0,
        offset=rng.uniform(0, 5, width).astype(np.float32) * has_offset,
        gain=rng.uniform(0.7, 1.6, width).astype(np.float32),
        learned=np.ones(width, np.bool_),
        dead=np.zeros(width, np.bool_),
    )


def exact(learned: FlatField, pixels: Pixels) -> NDArray[np.float64]:
    offset, gain = learned.offset.astype(np.float64), learned.gain.astype(np.float64)
    return np.clip((pixels - offset) * gain, 0, 255)


def by_floats(learned: FlatField, pixels: Pixels) -> Pixels:
    grey = (pixels.astype(np.float32) - learned.offset) * learned.gain
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


def column_table(learned: FlatField) -> Pixels:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], learned.width_px, axis=1)
    table: Pixels = np.ascontiguousarray(by_floats(learned, greys).T).ravel()
    return table


def report(
    seconds: dict[str, list[float]], pixels: int, options: argparse.Namespace
) -> dict[str, Any]:
    return {
        "benchmark": "conditioning",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one used",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "block": f"{options.lines} lines of {options.width_px} px",
        "rounds": options.rounds,
        "mpx_s": {
            name: {
                "median": round(pixels / 1e6 / statistics.median(times)),
                "worst": round(pixels / 1e6 / max(times)),
            }
            for name, times in seconds.items()
        },
    }


def print_table(record: dict[str, Any]) -> None:
    for name, value in record.items():
        if name != "mpx_s":
            print(f"{name:<24}{value}")
    print(f"{'Mpx/s':<24}{'median':>8}{'worst':>8}")
    for name, rates in record["mpx_s"].items():
        print(f"  {name:<22}{rates['median']:>8}{rates['worst']:>8}")


if __name__ == "__main__":
    sys.exit(main())
