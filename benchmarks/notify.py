"""How long after the last line of a defect an MQTT subscriber and a PLC know of it.

A line inspects blocks that come at a camera's pace, a dark spot in each at a random place. The
whole way is measured but for the model, which marks what is dark here; ``engines.py`` has its
time. The clock starts when the block is in memory that completes the spot's band, and stops when
the subscriber has the event, and when a client that polls every 5 ms over Modbus TCP reads the
defect; the registers show the newest one, so where two come between polls the PLC reads the
second. Needs Mosquitto and the extras mqtt and modbus.

    python benchmarks/notify.py --json benchmarks/reports/notify.json
"""

import argparse
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from pymodbus.client import ModbusTcpClient

from stripscan.contract.block import Block
from stripscan.contract.bundle import open_bundle
from stripscan.contract.tiling import TileGrid
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.line import Line
from stripscan.runtime.line_state import LineState
from stripscan.runtime.model_keeper import ModelKeeper
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.rules.load import load_rules
from stripscan.runtime.station import Station
from stripscan.runtime.station_model import LoadedModel
from stripscan.runtime.store import Store
from stripscan.runtime.supervision import Supervisor
from stripscan.runtime.telling import station_news, telling

WIDTH_PX = 400
PITCH_MM = 0.5
POLL_S = 0.005
NEWEST = 14
"""Register with the count of new defects; where the newest lies is in the fifth and sixth."""

Pixels = NDArray[np.uint8]


class DarkEngine:
    """Marks what is dark, in next to no time."""

    description = "dark pixels"

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        mask = (tiles < 60).astype(np.uint8)
        return mask, mask * np.uint8(200)

    def close(self) -> None:
        pass


class Paced:
    """Blocks of one band each at a steady pace, a spot in the middle of each."""

    live = True
    total_lines = None
    width_px = WIDTH_PX

    def __init__(self, blocks: int, lines: int, period_s: float) -> None:
        self._blocks, self._lines, self._period_s = blocks, lines, period_s
        self.arrived_ns: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def blocks(self) -> Iterator[Block]:
        dice = np.random.default_rng(3)
        metal = dice.integers(105, 136, (self._lines, WIDTH_PX), np.uint8)
        begun_s = time.monotonic()
        for number in range(self._blocks):
            # A camera never repeats a line, and one that does is not trusted.
            pixels = np.roll(metal, 7 * number + 1, axis=1)
            first, left = dice.integers(20, self._lines - 40), dice.integers(20, WIDTH_PX - 40)
            pixels[first : first + 12, left : left + 12] = 20
            time.sleep(max(0.0, begun_s + number * self._period_s - time.monotonic()))
            self.arrived_ns.append(time.monotonic_ns())
            yield Block(
                pixels=pixels,
                camera="camera",
                first_line=number * self._lines,
                along_m=number * self._lines * PITCH_MM / 1000,
                mm_per_line=PITCH_MM,
                host_ns=self.arrived_ns[-1],
            )

    def stop(self) -> None:
        self._blocks = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--period-ms", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as port:
        record = measure(Path(folder), port, options.blocks, options.period_ms / 1000)
    print(json.dumps(record, indent=2))
    if options.json:
        options.json.write_text(json.dumps(record, indent=2) + "\n")
    return 0


def measure(folder: Path, broker_port: int, blocks: int, period_s: float) -> dict[str, object]:
    bundle = open_bundle(default_bundle_path())
    size = bundle.manifest.input
    grid = TileGrid(width_px=WIDTH_PX, tile_px=size.tile_px, halo_px=size.halo_px)
    lines, plc_port = grid.core_px, free_port()
    station = Station.model_validate(
        {
            "name": "bench",
            "camera": {"mm_per_px": PITCH_MM, "mm_per_line": PITCH_MM, "strip_edges": "full"},
            "source": {"kind": "simulator"},
            "stitch": {"join_mm": 0.0},
            "store": {"path": folder / "bench.db"},
            "mqtt": {"address": f"127.0.0.1:{broker_port}"},
            "modbus": {"address": f"127.0.0.1:{plc_port}"},
        }
    )
    supervisor, source, orders = Supervisor(), Paced(blocks, lines, period_s), OrderBook("one coil")
    supervisor.enter(LineState.WARMING)
    heard: dict[int, int] = {}
    polled: dict[int, int] = {}
    with Store.open(station.store.path) as store:
        news = station_news(station, store)
        with (
            telling(station, news, orders=orders, supervisor=supervisor),
            subscriber(broker_port, heard, lines),
            poller(plc_port, polled, lines),
            source,
        ):
            line = Line(
                station=station,
                source=source,
                store=store,
                models=ModelKeeper(station, LoadedModel(bundle=bundle, engine=DarkEngine())),
                rules=load_rules(None),
                flat_field=None,
                orders=orders,
                supervisor=supervisor,
                reload=lambda: False,
                on_progress=lambda _: None,
                news=news,
            )
            line.run(PlannedCoil(id="bench"))
            time.sleep(0.5)
    # The halo of a band lies in the block behind it; the last band is closed by the coil's end.
    known = {band: source.arrived_ns[band + 1] for band in range(blocks - 1)}
    return {
        "benchmark": "notify",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "blocks": blocks,
        "period_ms": period_s * 1000,
        "poll_ms": POLL_S * 1000,
        "mqtt": figures(known, heard),
        "modbus": figures(known, polled),
    }


def figures(known: dict[int, int], told: dict[int, int]) -> dict[str, float]:
    late_ms = np.array([(told[band] - at) / 1e6 for band, at in known.items() if band in told])
    return {
        "told": len(late_ms),
        "p50_ms": round(float(np.percentile(late_ms, 50)), 2),
        "p99_ms": round(float(np.percentile(late_ms, 99)), 2),
        "max_ms": round(float(late_ms.max()), 2),
    }


def band_at(along_m: float, lines: int) -> int:
    return int(along_m * 1000 / PITCH_MM / lines)


@contextmanager
def subscriber(port: int, heard: dict[int, int], lines: int) -> Iterator[None]:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    ready = threading.Event()

    def take(_client: object, _data: object, message: object) -> None:
        now_ns = time.monotonic_ns()
        event = json.loads(message.payload)  # type: ignore[attr-defined]
        heard.setdefault(band_at(event["data"]["along_start_m"], lines), now_ns)

    client.on_message = take
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", port)
    client.subscribe("stripscan/bench/events/defect/new", qos=1)
    client.loop_start()
    ready.wait(10)
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def poller(port: int, polled: dict[int, int], lines: int) -> Iterator[None]:
    done = threading.Event()

    def poll() -> None:
        with closing(ModbusTcpClient("127.0.0.1", port=port)) as client:
            client.connect()
            while not done.wait(POLL_S):
                told = client.read_holding_registers(NEWEST, count=8).registers
                if told[0]:
                    along_m = (told[4] * 0x10000 + told[5]) / 1000
                    polled.setdefault(band_at(along_m, lines), time.monotonic_ns())

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        sys.exit("there is no mosquitto: install Debian's package of that name")
    port = free_port()
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    with subprocess.Popen([found, "-c", settings], stderr=subprocess.DEVNULL) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.01)
            yield port
        finally:
            process.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
