"""A line that is faster than the machine: the gate goes on alone, and says so of each line."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stripscan.contract.block import Block
from stripscan.contract.bundle import Bundle
from stripscan.runtime.gating import HURRIED
from stripscan.runtime.line_state import LineState
from stripscan.runtime.model_keeper import ModelKeeper
from stripscan.runtime.station import Station
from stripscan.runtime.station_model import LoadedModel
from stripscan.runtime.store import Store
from stripscan.runtime.supervision import Supervisor
from unit.runtime.gate_samples import BoxGate, dark_spot
from unit.runtime.inspection_samples import Pixels, block, manifest, metal, station
from unit.runtime.line_samples import LINES, WIDTH, BoundEngine, Tape, run, spans

BLOCKS, BURST = 60, 40
CORE_LINES = 48


class SlowEngine(BoundEngine):
    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        time.sleep(0.02)
        return super().infer(tiles)


class Burst(Tape):
    """Plays the first blocks much faster than the engine is, and the others slower."""

    live = True

    def blocks(self) -> Iterator[Block]:
        for number, first in enumerate(range(0, len(self._strip), LINES)):
            time.sleep(0.005 if number < BURST else 0.06)
            now_ns = time.monotonic_ns()
            yield block(self._strip[first : first + LINES], first, host_ns=now_ns)


class Watching(Supervisor):
    """Keeps which states there were."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[LineState, str]] = []

    def review(self) -> None:
        super().review()
        if not self.seen or self.seen[-1] != (self.state, self.reason):
            self.seen.append((self.state, self.reason))


def degrading() -> Station:
    setup = station()
    pipeline = setup.pipeline.model_copy(update={"overload": "degrade", "queue_blocks": BURST})
    return setup.model_copy(update={"pipeline": pipeline})


def strip() -> Pixels:
    pixels = metal(BLOCKS * LINES, WIDTH)
    for line in range(10, len(pixels) - 20, 150):
        dark_spot(pixels, line, 30 + line % 40)
    return pixels


def test_no_block_is_lost_and_each_line_says_who_looked_at_it(tmp_path: Path) -> None:
    path, setup, gate, supervisor = tmp_path / "line.db", degrading(), BoxGate(), Watching()
    bundle = Bundle(path=Path("made"), manifest=manifest(), raw_manifest=b"{}", signature=None)
    model = LoadedModel(bundle=bundle, engine=SlowEngine(), gate=gate)
    tape = Burst(strip())
    run(path, tape, coil="a", setup=setup, models=ModelKeeper(setup, model), supervisor=supervisor)
    with Store.open(path, readonly=True) as store:
        coil, coverage, defects = store.coil("a"), store.coverage("a"), store.defects("a")
        masks = store.masks("a")
    lines = BLOCKS * LINES
    told = spans(coverage)
    assert told[-1][:2] == (lines, "inspected")
    assert {status for _, status, _ in told} == {"inspected", "degraded"}
    degraded = np.zeros(lines, np.bool_)
    for interval in coverage:
        if interval.status == "degraded":
            assert interval.reason.startswith(HURRIED)
            degraded[interval.lines.start : interval.lines.stop] = True
    # Exactly the bands that the gate looked at: it looks at none before the engine does.
    assert degraded.sum() == gate.images * CORE_LINES == coil.stats["gate_only_lines"]
    # What it marked does not look clean, and nobody gives it a class.
    marked = sum(int(found) for found in re.findall(r"(\d+) cells marked", str(told)))
    assert marked == coil.stats["gate_only_marks"] > 0
    found = {int(line) for runs in masks.values() for line in runs[:, 0]}
    assert len(defects) > 0
    assert not found & set(np.flatnonzero(degraded).tolist())
    assert (coil.stats["dropped_blocks"], coil.stats["gate_only_switches"] % 2) == (0, 0)
    assert supervisor.figures.gate_only_switches == coil.stats["gate_only_switches"] >= 2
    states = [state for state, _ in supervisor.seen]
    assert LineState.DEGRADED in states[:-1]
    assert states[states.index(LineState.DEGRADED) + 1] is LineState.INSPECTING
