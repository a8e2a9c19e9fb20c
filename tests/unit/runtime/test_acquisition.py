import dataclasses
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from stripscan.contract.block import Block
from stripscan.contract.errors import CameraLost
from stripscan.runtime.acquisition import Acquisition
from stripscan.runtime.station_pipeline import PipelineSection
from unit.runtime.inspection_samples import block, inspect, metal, station

LINES = 4


class Tape:
    """Plays blocks of four lines, as fast as they are taken or at once."""

    width_px = 8

    def __init__(self, count: int, *, live: bool = False, error: Exception | None = None) -> None:
        self.total_lines = None
        self.live = live
        self.played = 0
        self.all_played = threading.Event()
        self.go_on = threading.Event()  # a live tape waits for it after its first block
        self._count = count
        self._error = error
        self._stopped = threading.Event()

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
        while self.played < self._count and not self._stopped.is_set():
            self.played += 1
            if self.live and self.played == 2:
                self.go_on.wait(5)
            yield block(np.zeros((LINES, self.width_px), np.uint8), LINES * (self.played - 1))
        self.all_played.set()
        if self._error:
            raise self._error

    def stop(self) -> None:
        self._stopped.set()


def numbers(blocks: list[Block]) -> list[int]:
    return [b.first_line // LINES for b in blocks]


def test_files_wait_and_nothing_is_lost() -> None:
    tape = Tape(50)
    acquisition = Acquisition(tape, PipelineSection(queue_blocks=2))
    taken = []
    for each in acquisition.blocks():
        taken.append(each)
        assert tape.played <= len(taken) + 4
    assert numbers(taken) == list(range(50))
    assert acquisition.dropped_blocks == 0


def test_a_live_source_loses_its_oldest_blocks_and_they_are_counted() -> None:
    tape = Tape(50, live=True)
    acquisition = Acquisition(tape, PipelineSection(queue_blocks=3))
    blocks = acquisition.blocks()
    taken = [next(blocks)]
    tape.go_on.set()
    assert tape.all_played.wait(5)
    taken.extend(blocks)
    assert numbers(taken) == [0, 47, 48, 49]
    assert (acquisition.dropped_blocks, acquisition.dropped_lines) == (46, 46 * LINES)
    assert [each.dropped_before for each in taken] == [0, 46 * LINES, 0, 0]


def test_a_live_source_waits_where_the_station_says_so() -> None:
    tape = Tape(50, live=True)
    tape.go_on.set()
    acquisition = Acquisition(tape, PipelineSection(queue_blocks=2, overload="block"))
    taken = []
    for each in acquisition.blocks():
        taken.append(each)
        assert tape.played <= len(taken) + 4
    assert numbers(taken) == list(range(50))
    assert (acquisition.dropped_blocks, acquisition.dropped_lines) == (0, 0)


def test_an_error_comes_after_the_last_block() -> None:
    acquisition = Acquisition(Tape(5, error=CameraLost("the cable")), PipelineSection())
    taken = []
    with pytest.raises(CameraLost, match="the cable"):
        taken.extend(acquisition.blocks())  # list.extend keeps what came before
        pytest.fail("no error")
    assert numbers(taken) == list(range(5))


def test_stop_ends_it_and_what_has_arrived_is_still_yielded() -> None:
    tape = Tape(10**9)
    acquisition = Acquisition(tape, PipelineSection(queue_blocks=4))
    blocks = acquisition.blocks()
    taken = [next(blocks)]
    while tape.played < 6:
        time.sleep(0.001)
    acquisition.stop()
    taken.extend(blocks)
    assert numbers(taken) == list(range(tape.played))


def test_stop_frees_a_source_that_waits_when_nobody_takes_any_more() -> None:
    acquisition = Acquisition(Tape(10**9), PipelineSection(queue_blocks=2))
    blocks = acquisition.blocks()
    next(blocks)
    acquisition.stop()
    acquisition._thread.join(5)
    assert not acquisition._thread.is_alive()
    blocks.close()


def borrowed(pixels: np.ndarray, *, counted: bool) -> Iterator[Block]:
    """Yield blocks whose pixels are overwritten when the next but one is asked for."""
    lent: list[np.ndarray] = []
    for first in range(0, len(pixels), 50):
        lent.append(pixels[first : first + 50].copy())
        seen = lent[-1].view()
        seen.flags.writeable = False
        yield dataclasses.replace(block(seen, first), encoder_count=first if counted else None)
        for old in lent[:-1]:
            old[:] = 220


@pytest.mark.parametrize("counted", [False, True])
def test_the_inspection_keeps_no_pixels_that_it_has_to_give_back(counted: bool) -> None:
    strip = metal(500, 96)
    strip[120:180, 30:40] = 20
    encoder = {"mm_per_count": 0.25, "direction": 1} if counted else None
    setup = station().model_validate(station().model_dump() | {"encoder": encoder})
    kept, lent = (
        inspect(blocks, 96, setup=setup)
        for blocks in (
            [
                dataclasses.replace(b, pixels=b.pixels.copy())
                for b in borrowed(strip, counted=counted)
            ],
            borrowed(strip, counted=counted),
        )
    )
    assert lent.states() == kept.states() == [("inspected", "")] * 500
    assert len(kept.defects) == 1
    assert lent.defects == kept.defects
    assert [o.pictures for o in lent.outcomes] == [o.pictures for o in kept.outcomes]
