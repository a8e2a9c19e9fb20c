"""GigE Vision over loopback, against the camera of Aravis' own tools."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("gi", reason="needs PyGObject, of the extra camera")
pytest.importorskip("onnx", reason="needs the export extra, to make a model")
pytestmark = [
    pytest.mark.export,
    pytest.mark.debian("aravis-tools"),
    pytest.mark.debian("gir1.2-aravis-0.8"),
]

from integration.runtime.gige_peer import (
    LINES,
    WIDTH,
    GigePeer,
    assert_ramp,
    opened,
)
from stripscan.contract.block import Block, BlockStatus
from stripscan.contract.errors import CameraError, CameraLost, ConfigError
from stripscan.runtime.commands.cameras import cameras
from stripscan.runtime.sources import FrameSource


@pytest.fixture
def peer() -> Iterator[GigePeer]:
    with GigePeer() as camera:
        yield camera


def take(source: FrameSource, count: int) -> list[Block]:
    """Return the first blocks, and stop the source."""
    blocks: list[Block] = []
    for block in source.blocks():
        blocks.append(block)
        if len(blocks) == count:
            source.stop()
    return blocks


def assert_contiguous(blocks: list[Block]) -> None:
    assert blocks[0].first_line == 0
    assert all(a.lines.stop == b.first_line for a, b in pairwise(blocks))


def test_blocks_come_in_sequence_with_every_pixel(peer: GigePeer) -> None:
    with opened(peer.id) as source:
        assert (source.live, source.width_px) == (True, WIDTH)
        blocks = take(source, 20)
        stats = source.stats
    assert_contiguous(blocks)
    whole = [block for block in blocks if block.status is BlockStatus.COMPLETE]
    assert len(whole) >= 15  # a busy machine may lose some
    for block in whole:
        assert block.pixels.shape == (LINES, WIDTH)
        assert_ramp(block)
    times = [block.camera_ns for block in whole]
    assert times == sorted(times)
    assert stats["blocks_whole"] >= len(whole)
    assert stats["reconnects"] == 0


def test_16_bits_become_8_in_the_right_order_of_bytes(peer: GigePeer) -> None:
    with opened(peer.id, pixel_format="Mono16") as source:
        whole = next(block for block in source.blocks() if not block.lost)
    assert whole.pixels.shape == (LINES, WIDTH)
    steps = np.diff(whole.pixels, axis=1)  # of a ramp of 16 bits, modulo 65535
    assert np.isin(steps, [0, 1, 2]).all()
    assert np.mean(steps == 1) > 0.9


def test_a_camera_can_be_taken_again_at_once(peer: GigePeer) -> None:
    for _ in range(2):
        with opened(peer.id) as source:
            assert take(source, 1)[0].pixels.shape == (LINES, WIDTH)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": {"Widht": 512}}, r"source.features.Widht = 512: .*did you mean Width\?"),
        ({"features": {"Width": 9000}}, r"takes for Width a whole number from 1 to 2048"),
        ({"features": {"Width": "wide"}}, r"= 'wide': .* a whole number from 1 to 2048"),
        ({"features": {"TriggerMode": "Maybe"}}, r"takes for TriggerMode one of Off, On"),
        ({"block_lines": 4000}, r"source.block_lines = 4000: .*Height a whole number from 1 to"),
        ({"pixel_format": "Mono12"}, r"source.pixel_format = 'Mono12': .*one of .*Mono8"),
        ({"line_rate_hz": 2e4}, r"source.line_rate_hz = 20000.0: .*AcquisitionLineRate"),
        ({"exposure_us": 1e-3}, r"source.exposure_us = 0.001: .*ExposureTimeAbs a number from"),
        ({"trigger": "encoder"}, r'source.trigger = "encoder": .*name one of Line0, Software'),
        ({"encoder_divider": 4}, r"source.encoder_divider = 4: .*no feature EncoderDivider"),
    ],
)
def test_what_a_camera_cannot_do_is_said(
    peer: GigePeer, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said), opened(peer.id, **changes):
        pass


def test_features_reach_the_camera(peer: GigePeer) -> None:
    features = {"Width": 100, "OffsetX": 8, "AcquisitionFrameRate": 200, "TriggerMode": "Off"}
    with opened(peer.id, features=features, exposure_us=500, block_lines=10) as source:
        assert [b.pixels.shape for b in take(source, 2)] == [(10, 100)] * 2


def test_lines_of_lost_packets_are_lost_and_no_others() -> None:
    with (
        GigePeer(lost_per_mille=20) as peer,
        opened(peer.id, packet_bytes=1400) as source,
    ):
        blocks = take(source, 60)
        stats = source.stats
    assert_contiguous(blocks)
    damaged = [block for block in blocks if block.lost]
    assert len(damaged) >= 5
    assert any(block.lost[0].lines < LINES for block in damaged)
    for block in blocks:
        assert (block.status is BlockStatus.LOST_LINES) == bool(block.lost)
        assert_ramp(block)
    assert stats["lines_lost"] == sum(lost.lines for block in blocks for lost in block.lost)


def test_a_camera_that_was_switched_off_and_on_goes_on_and_the_gap_is_known() -> None:
    blocks: list[Block] = []
    again = 0.0
    with GigePeer() as peer, opened(peer.id) as source:
        for block in source.blocks():
            blocks.append(block)
            if len(blocks) == 60:
                peer.close()
                peer.start()
                again = time.monotonic()
            elif again and not block.lost:
                break
        back_s = time.monotonic() - again
        stats = source.stats
    assert back_s < 10  # 5 s on a machine that has nothing else to do
    assert stats["reconnects"] == 1
    assert_contiguous(blocks)
    away = [block for block in blocks[60:] if block.lost]
    passed_s = (blocks[-1].host_ns - blocks[59].host_ns) / 1e9
    before_s = (blocks[59].host_ns - blocks[0].host_ns) / 1e9
    rate_hz = 59 * LINES / before_s
    lost = sum(block.pixels.shape[0] for block in away)
    assert lost == pytest.approx(rate_hz * passed_s, rel=0.5, abs=2 * LINES)


def test_a_camera_that_stays_away_ends_the_coil() -> None:
    blocks: list[Block] = []
    with (
        GigePeer() as peer,
        closing(GigePeer("other")) as other,
        opened(peer.id, reconnect_s=0.5) as source,
        pytest.raises(CameraLost, match=r"did not come back within 0.5 s: no camera .* answers"),
    ):
        for block in source.blocks():
            blocks.append(block)
            if len(blocks) == 10:
                peer.close()
                other.start()  # the dead are missed after 6 s, a camera that obeys nobody after 1
    assert_contiguous(blocks)
    assert blocks[-1].status is BlockStatus.LOST_LINES


def test_no_camera_is_said_with_what_to_do() -> None:
    with (
        pytest.raises(CameraError, match=r"no camera Mill-7 answers .*'stripscan cameras' lists"),
        opened("Mill-7"),
    ):
        pass


def test_another_thread_ends_it_while_the_strip_stands(peer: GigePeer) -> None:
    blocks: list[Block] = []
    with opened(peer.id, trigger="Software", timeout_s=0.1) as source:
        reader = threading.Thread(target=lambda: blocks.extend(source.blocks()))
        reader.start()
        time.sleep(0.3)
        assert reader.is_alive()  # silence is no error: no line was triggered
        source.stop()
        reader.join(10)
        assert not reader.is_alive()
    assert blocks == []


def test_cameras_are_listed(peer: GigePeer, capsys: pytest.CaptureFixture[str]) -> None:
    cameras()
    listed = capsys.readouterr().out
    assert f"{peer.id}\n" in listed
    assert "GigEVision at 127.0.0.1, free" in listed
    assert "512 × 512 px, " in listed
    assert "Mono8" in listed
