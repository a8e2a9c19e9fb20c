"""The camera of Aravis' own tools, a program of its own, as a real GigE Vision peer on loopback."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from stripscan.contract.block import Block
from stripscan.runtime.sources import FrameSource, open_source
from stripscan.runtime.station import Station

PROGRAM = "arv-fake-gv-camera-0.8"
ADDRESS, GVCP_PORT = "127.0.0.1", 3956  # it takes addresses of network cards alone
WIDTH, LINES = 512, 64
RATE_HZ = 100.0


class GigePeer:
    """A camera that can be killed and started again; there is one at a time.

    Args:
        name: Part of its serial number.
        lost_per_mille: How many of a thousand packets it does not send.
    """

    def __init__(self, name: str = "a", *, lost_per_mille: float = 0.0) -> None:
        serial = f"{name}-{os.getpid()}"
        self.id = f"Aravis-Fake-{serial}"
        self._command = [PROGRAM, "-i", ADDRESS, "-s", serial, "-r", str(lost_per_mille)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if shutil.which(PROGRAM) is None:
            pytest.skip(f"{PROGRAM} is not installed")
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start it and wait until it has its port."""
        self._process = subprocess.Popen(self._command)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind((ADDRESS, GVCP_PORT))
                except OSError:
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        self.close()
        pytest.fail(f"{PROGRAM} does not listen at {ADDRESS}")

    def close(self) -> None:
        """End it as a power cut would, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def camera_station(identity: str, **changes: object) -> Station:
    source: dict[str, object] = {
        "kind": "genicam",
        "id": identity,
        "block_lines": LINES,
        "features": {"Width": WIDTH, "AcquisitionFrameRate": RATE_HZ},
    }
    bits = int(str(changes.get("pixel_format", "Mono8")).removeprefix("Mono"))
    camera = {"name": "top-1", "mm_per_px": 0.5, "mm_per_line": 0.25, "bits": bits}
    return Station.model_validate({"name": "line 1", "camera": camera, "source": source | changes})


@contextmanager
def opened(identity: str, **changes: object) -> Iterator[FrameSource]:
    with open_source(camera_station(identity, **changes)) as source:
        yield source


def assert_ramp(block: Block) -> None:
    """Compare the rows that came with the camera's picture, a ramp along and across."""
    along = np.add.outer(np.arange(block.pixels.shape[0]), np.arange(block.pixels.shape[1]))
    seen = np.ones(len(along), bool)
    for lost in block.lost:
        seen[lost.start - block.first_line : lost.stop - block.first_line] = False
    if seen.any():
        start = (int(block.pixels[seen][0, 0]) - int(along[seen][0, 0])) % 255
        assert np.array_equal(block.pixels[seen], ((along + start) % 255)[seen])
