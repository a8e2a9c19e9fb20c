"""A line to follow by hand: a strip that plays, and whoever gives orders while it does."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.contract.block import Block, BlockStatus
from stripscan.contract.bundle import Bundle
from stripscan.contract.coverage import CoverageInterval
from stripscan.contract.defect import Defect
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.line import Line, RunResult
from stripscan.runtime.line_state import LineState
from stripscan.runtime.model_keeper import ModelKeeper
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.rules.load import load_rules
from stripscan.runtime.shutdown import Hangup
from stripscan.runtime.station import Station
from stripscan.runtime.station_control import CoilSection
from stripscan.runtime.station_model import LoadedModel
from stripscan.runtime.store import Store
from stripscan.runtime.supervision import Supervisor
from stripscan.runtime.wall_clock import WallClock, utc_now
from unit.runtime.inspection_samples import BoxEngine, block, manifest, metal, station

Pixels = NDArray[np.uint8]
WIDTH = 96
LINES = 80  # of each block


class BoundEngine(BoxEngine):
    def close(self) -> None:
        pass


class Tape:
    """Plays a strip in blocks; what is planned for a block happens while that block is filled.

    Args:
        strip: Lines as the camera sees them.
        during: What happens, by number of the block.
        missing: Numbers of blocks that do not come.
        counts: The encoder's count at each line; where the strip turns a block must end.
    """

    live = False
    total_lines = None
    width_px = WIDTH

    def __init__(
        self,
        strip: Pixels,
        *,
        during: Mapping[int, Sequence[Callable[[], object]]] | None = None,
        missing: Sequence[int] = (),
        counts: Sequence[int] | None = None,
    ) -> None:
        self._strip = strip
        self._during = during or {}
        self._missing = missing
        self._counts = counts
        self._stopped = False

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
        host_ns = time.monotonic_ns()
        for number, first in enumerate(range(0, len(self._strip), LINES)):
            for action in self._during.get(number, ()):
                time.sleep(0.005)
                action()
            if self._stopped:
                return
            now_ns = time.monotonic_ns()
            # As long after the last order as that came after the block before: it is in the middle.
            host_ns = 2 * now_ns - host_ns if number in self._during else now_ns
            if number not in self._missing:
                yield self._block(first, host_ns)
            while time.monotonic_ns() < host_ns:
                time.sleep(0.001)

    def _block(self, first: int, host_ns: int) -> Block:
        plain = block(self._strip[first : first + LINES], first, host_ns=host_ns)
        if self._counts is None:
            return plain
        return replace(plain, encoder_count=self._counts[first], status=BlockStatus.PARTIAL)

    def stop(self) -> None:
        self._stopped = True


def model() -> LoadedModel:
    bundle = Bundle(path=Path("made"), manifest=manifest(), raw_manifest=b"{}", signature=None)
    return LoadedModel(bundle=bundle, engine=BoundEngine())


def keeper(setup: Station) -> ModelKeeper:
    """Return a keeper of a model that nothing follows."""
    return ModelKeeper(setup.model_copy(update={"coil": CoilSection()}), model())


def open_book() -> OrderBook:
    book = OrderBook("")
    book.open(())
    return book


def run(
    path: Path,
    tape: Tape,
    *,
    book: OrderBook | None = None,
    coil: str | None = None,
    supervisor: Supervisor | None = None,
    hangup: Hangup | None = None,
    setup: Station | None = None,
    models: ModelKeeper | None = None,
    wall: WallClock = utc_now,
) -> RunResult:
    """Run a line over a tape, with a store at ``path``."""
    supervisor = supervisor or Supervisor()
    setup = setup or station()
    supervisor.enter(LineState.WARMING)
    with Store.open(path) as store, tape as source:
        line = Line(
            station=setup,
            source=source,
            store=store,
            models=models or keeper(setup),
            rules=load_rules(None),
            flat_field=None,
            supervisor=supervisor,
            reload=(hangup or Hangup()).taken,
            orders=book or OrderBook("one coil"),
            on_progress=lambda _: None,
            wall=wall,
        )
        return line.run(PlannedCoil(id=coil) if coil else None)


Told = tuple[list[dict[str, object]], list[tuple[int, str, str]]]


def told_of(path: Path, coil: str) -> Told:
    """Return defects with masks, and coverage, of a coil; its name is left out."""
    with Store.open(path, readonly=True) as store:
        masks = store.masks(coil)
        defects = [plain(d) | {"runs": masks[d.number].tolist()} for d in store.defects(coil)]
        return defects, spans(store.coverage(coil))


def plain(defect: Defect) -> dict[str, object]:
    names = [n for n in Defect.__dataclass_fields__ if n != "coil"]
    values = {name: getattr(defect, name) for name in names}
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in values.items()}


def spans(coverage: Sequence[CoverageInterval]) -> list[tuple[int, str, str]]:
    """Return where each interval stops and what it says, after checking that nothing gapes."""
    at, at_m = 0, 0.0
    for each in coverage:
        assert each.lines.start == at
        assert each.along_start_m == pytest.approx(at_m, abs=1e-9)
        at, at_m = each.lines.stop, each.along_end_m
    return [(i.lines.stop, str(i.status), i.reason) for i in coverage]


def spotted(lines: int) -> Pixels:
    """Return metal with a long scratch and many spots."""
    strip = metal(lines, WIDTH)
    strip[:, 40:46] += 100
    for number in range(lines // 25):
        strip[25 * number : 25 * number + 7, 10:20] = 20
    return strip
