import threading
import time
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.block import BlockStatus
from stripscan.contract.errors import ConfigError, DataError
from stripscan.runtime.encoder import Encoder
from stripscan.runtime.sources.simulator import SimulatorFrames
from stripscan.runtime.station import CameraSection
from stripscan.runtime.station_encoder import EncoderSection
from stripscan.runtime.station_sources import SimulatorSource
from stripscan.simulation.spec import StripSpec

CAMERA = CameraSection(mm_per_px=0.4, mm_per_line=0.5)


def frames(**options: object) -> SimulatorFrames:
    small = {"kind": "simulator", "width_px": 128, "length_m": 0.1, "defects_per_class": 0}
    return SimulatorFrames(SimulatorSource.model_validate(small | options), CAMERA)


def test_the_defaults_are_those_of_the_strip() -> None:
    spec, section = StripSpec(), SimulatorSource(kind="simulator")
    shared = set(SimulatorSource.model_fields) & set(StripSpec.__dataclass_fields__)
    assert {k: getattr(section, k) for k in shared} == {k: getattr(spec, k) for k in shared}


def test_every_setting_reaches_the_strip() -> None:
    options = {
        "width_px": 640,
        "length_m": 12.5,
        "strip_width_px": 500,
        "seed": 3,
        "defects_per_class": 1,
        "wander_px": 2.0,
        "shading": 0.3,
        "noise": 4.0,
        "speed_m_s": 2.0,
    }
    spec = frames(**options).strip.spec
    assert {key: getattr(spec, key) for key in options} == options
    assert (spec.mm_per_px, spec.mm_per_line) == (0.4, 0.5)


def test_a_missing_folder_of_real_defects_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        frames(real_data=tmp_path / "gone")


def test_the_end_of_the_coil_is_a_partial_block() -> None:
    with frames(block_lines=96) as source:
        blocks = list(source.blocks())
    assert [b.lines.lines for b in blocks] == [96, 96, 8]
    assert [b.status for b in blocks][1:] == [BlockStatus.COMPLETE, BlockStatus.PARTIAL]


def test_blocks_are_cut_from_one_strip() -> None:
    with frames(block_lines=200) as whole, frames(block_lines=7) as pieces:
        joined = np.concatenate([b.pixels for b in pieces.blocks()])
        assert np.array_equal(next(whole.blocks()).pixels, joined)


def test_pace_delivers_no_faster_than_the_strip_moves() -> None:
    with frames(pace=True, speed_m_s=1.0, block_lines=50) as source:
        assert source.live
        start = time.monotonic()
        assert len(list(source.blocks())) == 4
        assert time.monotonic() - start > 0.1


def test_a_slow_strip_can_be_stopped_while_it_is_waited_for() -> None:
    with frames(pace=True, speed_m_s=0.01, block_lines=200) as source:
        timer = threading.Timer(0.1, source.stop)
        start = time.monotonic()
        timer.start()
        assert list(source.blocks()) == []
        assert time.monotonic() - start < 1
        timer.join()


def test_with_an_encoder_the_strip_stops_and_moves_back_and_is_whole_all_the_same() -> None:
    setup = EncoderSection(mm_per_count=0.1, counter_bits=16, direction=-1)
    options = {"length_m": 0.5, "block_lines": 60, "noise": 2.0}
    source = SimulatorSource.model_validate(
        {"kind": "simulator", "width_px": 128, "defects_per_class": 0, "reversals": 2} | options
    )
    with SimulatorFrames(source, CAMERA, setup) as moving, frames(**options) as straight:
        blocks, plain = list(moving.blocks()), [b.pixels for b in straight.blocks()]
        assert (moving.total_lines, sum(b.lines.lines for b in blocks)) == (1000, 2466)
    counts = [b.encoder_count for b in blocks if b.encoder_count is not None]
    assert min(counts) < 5000
    assert max(counts) > 60_000
    chain = Encoder(setup, mm_per_line=CAMERA.mm_per_line)
    placed = [p for b in blocks for p in chain.place(b)]
    strip = [*placed, *chain.flush()]
    assert {p.status for p in strip} == {"inspected"}
    assert np.array_equal(np.concatenate([p.block.pixels for p in strip]), np.concatenate(plain))
    assert (chain.reversals, chain.reseen_lines) == (2, 1466)


def test_a_strip_wider_than_the_view_is_refused() -> None:
    with pytest.raises(ConfigError, match="strip_width_px"):
        frames(strip_width_px=640)
