"""How many cameras and machines a line needs."""

import math
from dataclasses import dataclass
from typing import Final

from stripscan.contract.errors import ConfigError

SMALLEST_DEFECT_PX: Final = 3
"""A defect narrower than this is no shape: one pixel may be noise, two an edge between pixels."""

LINKS_MB_S: Final = {"GigE": 118.0, "5GigE": 590.0, "10GigE": 1180.0}
"""What a link brings in jumbo frames, in 10⁶ bytes a second, the slowest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a line asks for.

    Attributes:
        width_mm: Width of the strip.
        mm_per_px: Pitch, along as across.
        speed_m_s: Highest speed of the strip.
        surfaces: 1, or 2 for top and bottom.
        camera_px: Pixels of a line camera, of 1 byte each.
        camera_khz: Highest line rate of the camera; None if unknown.
        overlap_mm: By how much the views of two cameras overlap.
        margin: How much more than needed a machine must inspect, as a share.

    Raises:
        ConfigError: A value is out of its range, or the overlap fills the view.
    """

    width_mm: float
    mm_per_px: float
    speed_m_s: float
    surfaces: int = 1
    camera_px: int = 2048
    camera_khz: float | None = None
    overlap_mm: float = 20.0
    margin: float = 0.5

    def __post_init__(self) -> None:
        _within("width-mm", self.width_mm, 1, 20_000, "mm")
        _within("mm-per-px", self.mm_per_px, 0.001, 100, "mm")
        _within("speed-m-s", self.speed_m_s, 0.01, 100, "m/s")
        _within("surfaces", self.surfaces, 1, 2, "")
        _within("camera-px", self.camera_px, 64, 65_536, "px")
        if self.camera_khz is not None:
            _within("camera-khz", self.camera_khz, 0.001, 10_000, "kHz")
        _within("overlap-mm", self.overlap_mm, 0, 20_000, "mm")
        _within("margin", self.margin, 0, 10, "")
        if self.overlap_px >= self.camera_px:
            raise ConfigError(
                f"--overlap-mm {self.overlap_mm:g} mm is {self.overlap_px} px of "
                f"--camera-px {self.camera_px} px: nothing is left of a view"
            )

    @property
    def overlap_px(self) -> int:
        """Overlap in whole pixels, rounded up."""
        return _ceil(self.overlap_mm / self.mm_per_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What it takes.

    Attributes:
        pixels_across: Pixels across the strip.
        cameras_per_surface: Cameras side by side.
        cameras: Cameras on all surfaces.
        view_mm: What the cameras of a surface see, in mm; more than the strip, so that it may
            wander.
        line_rate_khz: Lines at the highest speed, in 10³ a second.
        fastest_m_s: Speed at which the camera's own line rate ends; None if unknown.
        strip_mpx_s: Pixels of the strip on one surface, in 10⁶ a second.
        camera_mpx_s: Pixels of one camera, in 10⁶ a second.
        total_mpx_s: Pixels of all cameras, in 10⁶ a second.
        camera_mb_s: Bytes of one camera, in 10⁶ a second.
        link: The slowest link that carries a camera; None if none of ``LINKS_MB_S`` does.
        smallest_defect_mm: Width of the smallest defect that has a shape.
        cameras_per_machine: Cameras that one machine inspects with the margin.
        machines: Machines; None if one cannot take a single camera.
    """

    pixels_across: int
    cameras_per_surface: int
    cameras: int
    view_mm: float
    line_rate_khz: float
    fastest_m_s: float | None
    strip_mpx_s: float
    camera_mpx_s: float
    total_mpx_s: float
    camera_mb_s: float
    link: str | None
    smallest_defect_mm: float
    cameras_per_machine: int
    machines: int | None


def plan(demand: Demand, machine_mpx_s: float) -> Plan:
    """Return what a line takes.

    A camera's whole image is inspected, and a camera belongs to one machine.

    Args:
        demand: What the line asks for.
        machine_mpx_s: What one machine inspects, in 10⁶ pixels a second.
    """
    across, own = _ceil(demand.width_mm / demand.mm_per_px), demand.camera_px
    overlap = demand.overlap_px
    side_by_side = 1 if across <= own else _ceil((across - overlap) / (own - overlap))
    cameras = side_by_side * demand.surfaces
    line_rate_khz = demand.speed_m_s / demand.mm_per_px
    camera_mpx_s = own * line_rate_khz / 1000
    held = int(machine_mpx_s / (camera_mpx_s * (1 + demand.margin)))
    return Plan(
        pixels_across=across,
        cameras_per_surface=side_by_side,
        cameras=cameras,
        view_mm=(own * side_by_side - overlap * (side_by_side - 1)) * demand.mm_per_px,
        line_rate_khz=line_rate_khz,
        fastest_m_s=None if demand.camera_khz is None else demand.camera_khz * demand.mm_per_px,
        strip_mpx_s=across * line_rate_khz / 1000,
        camera_mpx_s=camera_mpx_s,
        total_mpx_s=camera_mpx_s * cameras,
        camera_mb_s=camera_mpx_s,
        link=next((link for link, limit in LINKS_MB_S.items() if camera_mpx_s <= limit), None),
        smallest_defect_mm=SMALLEST_DEFECT_PX * demand.mm_per_px,
        cameras_per_machine=held,
        machines=_ceil(cameras / held) if held else None,
    )


def _ceil(value: float) -> int:
    """Round up, but not what is whole but for the error of a division."""
    return math.ceil(round(value, 6))


def _within(option: str, value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        given, allowed = f"{value:g} {unit}".rstrip(), f"{low:g} to {high:g} {unit}".rstrip()
        raise ConfigError(f"--{option} {given}: it must be from {allowed}")
