"""What inspects one surface of a coil."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from stripscan.contract.block import Block
from stripscan.runtime.inspector import CoilInspector
from stripscan.runtime.panorama.surface import Surface
from stripscan.runtime.rolls import RollWatch
from stripscan.runtime.station import Station
from stripscan.runtime.station_model import LoadedModel
from stripscan.runtime.store_records import Stat
from stripscan.runtime.trust import BlockTrust


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceChain:
    """The chain of one surface: it has its own defects and rolls, and shares the model."""

    surface: Surface
    inspector: CoilInspector
    rolls: RollWatch
    whole: bool

    def part(self, block: Block) -> Block:
        """Return the surface's columns of a block; the block itself where it has no others."""
        if self.whole:
            return block
        return dataclasses.replace(block, pixels=block.pixels[:, self.surface.columns])

    def stats(self) -> dict[str, Stat]:
        """Return figures of strip, light and cameras so far."""
        dead = self.surface.dead_columns()
        return self.inspector.stats() | ({"dead_columns": dead} if dead else {})


def surface_chains(
    coil: str, surfaces: Sequence[Surface], *, model: LoadedModel, trust: BlockTrust
) -> tuple[SurfaceChain, ...]:
    """Return what inspects a coil: a chain for each surface, with one count of defects.

    Args:
        coil: Its name.
        surfaces: What of the blocks is which side of the strip.
        model: What inspects it.
        trust: Judges the blocks of one camera.
    """
    defects, repeats = count(1), count(1)
    return tuple(
        SurfaceChain(
            surface=surface,
            inspector=CoilInspector(
                coil=coil,
                station=surface.station,
                manifest=model.bundle.manifest,
                engine=model.engine,
                width_px=surface.width_px,
                flat_field=surface.flat_field,
                trust=trust,
                gate=model.gate,
                shares=surface.shares,
                numbers=defects,
            ),
            rolls=roll_watch(coil, surface.station, numbers=repeats, share=1 / len(surfaces)),
            whole=len(surfaces) == 1,
        )
        for surface in surfaces
    )


def roll_watch(
    coil: str, station: Station, *, numbers: Iterator[int] | None = None, share: float = 1.0
) -> RollWatch:
    """Return what watches a coil for the marks of a station's rolls.

    Args:
        coil: Name of the coil.
        station: The station; its camera tells which surface.
        numbers: Numbers for repeats; from 1 on if None.
        share: Which share of the coil's false alarms this surface may have.
    """
    options, side = station.roll_repeat, station.camera.surface
    return RollWatch(
        coil=coil,
        rolls=[section.roll for section in station.roll if section.surface in {None, side}],
        false_alarms=options.false_alarms_per_coil * share,
        min_diameter_mm=options.min_diameter_mm,
        max_diameter_mm=options.max_diameter_mm,
        numbers=numbers,
    )
