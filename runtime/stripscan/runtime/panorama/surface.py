"""One side of the strip as it is inspected: a picture, and the cameras that make it."""

from collections.abc import Callable
from dataclasses import dataclass

from stripscan.runtime.conditioning.flat_field import FlatField
from stripscan.runtime.panorama.geometry import Share
from stripscan.runtime.station import Station


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One side of the strip.

    Attributes:
        station: The station, with this surface as its camera.
        columns: Its columns of the blocks.
        flat_field: Gain and offset of these columns, if they were learned.
        shares: Who owns which of them; empty where it is one camera whose blocks are not joined.
        dead_columns: Returns columns of its cameras that were dead, in words, empty if none;
            where there are no shares the inspection tells.
    """

    station: Station
    columns: slice
    flat_field: FlatField | None
    shares: tuple[Share, ...] = ()
    dead_columns: Callable[[], str] = _nothing

    @property
    def name(self) -> str:
        """``"top"`` or ``"bottom"``."""
        return self.station.camera.surface

    @property
    def width_px(self) -> int:
        """Width of its picture."""
        return int(self.columns.stop - self.columns.start)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of its cameras, from left to right."""
        return tuple(share.camera for share in self.shares) or (self.station.camera.name,)
