"""How fast this machine inspects: the whole chain over drawn strip, for about a second."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from stripscan.contract.block import Block
from stripscan.contract.manifest import Manifest
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.gate import Gate
from stripscan.runtime.inspector import CoilInspector, tile_grid
from stripscan.runtime.sources.base import BlockCounter
from stripscan.runtime.station import Station
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip

_DRAWN_PX: Final = 1024
_DRAWN_LINES: Final = 2048
_DRAWN_PITCH_MM: Final = 0.5
_STEP_LINES: Final = 577  # no divisor of _DRAWN_LINES: a block is never like the one before
_WARM_BANDS: Final = 3
_LEAST_BANDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long one band takes.

    Attributes:
        band_lines: Lines that a band keeps.
        width_px: Width of the camera's image.
        band_ms: Median time from lines to defects, without the store, in ms.
        bands: How many were timed.
    """

    band_lines: int
    width_px: int
    band_ms: float
    bands: int

    @property
    def band_mpx(self) -> float:
        """Pixels of a band, in 10⁶."""
        return self.band_lines * self.width_px / 1e6


def measure_pace(
    station: Station,
    manifest: Manifest,
    engine: Engine,
    *,
    width_px: int,
    gate: Gate | None = None,
    seconds: float = 1.0,
) -> Pace:
    """Inspect drawn strip with a station's engine, batch and tiles, and time its bands.

    Args:
        station: Inference, camera and stitching.
        manifest: Of the bundle.
        engine: What runs the model.
        width_px: Width of the camera's image.
        gate: Chooses tiles, where the station asks for that.
        seconds: How long to measure, after the warm-up; at least 5 bands in any case.

    Raises:
        BundleError, EngineError: See ``CoilInspector.push``.
        ConfigError: The tiles cannot be.
    """
    core = tile_grid(station, manifest, width_px=width_px).core_px
    inspector = CoilInspector(
        coil="pace",
        station=station,
        manifest=manifest,
        engine=engine,
        width_px=width_px,
        gate=gate,
    )
    times_ms: list[float] = []
    warm, until = 0, 0.0
    for block in _blocks(core, width_px):
        started = time.perf_counter()
        bands = sum(bool(outcome.coverage) for outcome in inspector.push(block))
        ended = time.perf_counter()
        if bands and warm < _WARM_BANDS:
            warm, until = warm + bands, ended + seconds
        elif bands:
            times_ms.append((ended - started) * 1000 / bands)
            if ended >= until and len(times_ms) >= _LEAST_BANDS:
                break
    return Pace(
        band_lines=core,
        width_px=width_px,
        band_ms=statistics.median(times_ms),
        bands=len(times_ms),
    )


def _blocks(lines: int, width_px: int) -> Iterator[Block]:
    """Yield blocks of drawn strip, with defects, without an end."""
    spec = StripSpec(
        width_px=_DRAWN_PX,
        length_m=_DRAWN_LINES * _DRAWN_PITCH_MM / 1000,
        mm_per_px=_DRAWN_PITCH_MM,
        mm_per_line=_DRAWN_PITCH_MM,
        strip_width_px=_DRAWN_PX,
        wander_px=0,
        defects_per_class=1,
    )
    strip = SimulatedStrip(spec).render(0, _DRAWN_LINES).pixels
    columns = np.arange(width_px) % _DRAWN_PX
    counter = BlockCounter(camera="pace", mm_per_line=_DRAWN_PITCH_MM)
    first = 0
    while True:
        rows = np.arange(first, first + lines) % _DRAWN_LINES
        yield counter.block(strip[rows[:, None], columns])
        first += _STEP_LINES
