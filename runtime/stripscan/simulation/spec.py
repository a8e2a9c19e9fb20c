"""What a simulated strip is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stripscan.contract.errors import ConfigError
from stripscan.simulation.defects import CLASS_NAMES

_SHARE_OF_VIEW = 0.92
_RAMP_M = 20.0
_RAMP_SHARE = 0.1
_THREADING_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class StripSpec:
    """A strip as one camera sees it.

    Attributes:
        width_px: Width of the camera's view.
        mm_per_px: Pixel pitch across in mm.
        mm_per_line: Distance from line to line in mm.
        length_m: Length of the coil in m.
        strip_width_px: Width of the strip; None for 92 % of the view.
        seed: Two strips with the same spec are the same byte for byte.
        defects_per_class: How many defects of every class, or a number by class name, where a
            class that is not named has none.
        wander_px: Greatest departure of the strip from the middle of the view.
        shading: Share of light that is lost at the edges of the view, 0–0.8.
        noise: Deviation of the sensor's noise in grey levels.
        speed_m_s: Speed while the mill runs steadily, in m/s.
        real_data: Folder of the data set whose real inclusions, patches and scratches are used
            instead of drawn ones; see ``stripscan.simulation.blend``.

    Raises:
        ConfigError: A value is out of its range.
    """

    width_px: int = 1024
    mm_per_px: float = 0.5
    mm_per_line: float = 0.5
    length_m: float = 120.0
    strip_width_px: int | None = None
    seed: int = 7
    defects_per_class: int | Mapping[str, int] = 10
    wander_px: float = 6.0
    shading: float = 0.15
    noise: float = 2.5
    speed_m_s: float = 10.0
    real_data: Path | None = None

    def __post_init__(self) -> None:
        _within("width_px", self.width_px, 64, 65536, "px")
        _within("mm_per_px", self.mm_per_px, 0.001, 100, "mm")
        _within("mm_per_line", self.mm_per_line, 0.001, 100, "mm")
        _within("length_m", self.length_m, self.mm_per_line * 0.064, 100_000, "m")
        _within("wander_px", self.wander_px, 0, self.width_px / 8, "px")
        _within("strip_width_px", self.strip_px, 32, self.width_px - 2 * self.wander_px, "px")
        _within("seed", self.seed, 0, 2**63 - 1, "")
        _within("shading", self.shading, 0, 0.8, "")
        _within("noise", self.noise, 0, 50, "grey levels")
        _within("speed_m_s", self.speed_m_s, 0.01, 100, "m/s")
        if isinstance(self.defects_per_class, Mapping):
            unknown = sorted(set(self.defects_per_class) - set(CLASS_NAMES))
            if unknown:
                raise ConfigError(
                    f"defects_per_class names {unknown[0]!r}: choose from {', '.join(CLASS_NAMES)}"
                )
        for name in CLASS_NAMES:
            _within(f"defects_per_class of {name}", self.defects_of(name), 0, 10_000, "defects")

    @property
    def strip_px(self) -> int:
        """Width of the strip in pixels."""
        if self.strip_width_px is not None:
            return self.strip_width_px
        return min(round(self.width_px * _SHARE_OF_VIEW), int(self.width_px - 2 * self.wander_px))

    @property
    def total_lines(self) -> int:
        """Lines from the head to the tail."""
        return round(self.length_m * 1000 / self.mm_per_line)

    def defects_of(self, class_name: str) -> int:
        """Return how many defects of a class to plant."""
        if isinstance(self.defects_per_class, Mapping):
            return self.defects_per_class.get(class_name, 0)
        return self.defects_per_class

    def speed_m_s_at(self, along_m: float) -> float:
        """Return the strip's speed in m/s: it runs up at the head and slows down at the tail.

        The head and the tail run at 30 % of the steady speed; each ramp takes 20 m, or a tenth
        of a coil shorter than 200 m.

        Args:
            along_m: Position from the head in m; beyond the coil, the value at its end.
        """
        ramp_m = min(_RAMP_M, _RAMP_SHARE * self.length_m)
        to_end_m = min(max(along_m, 0.0), max(self.length_m - along_m, 0.0))
        share = min(1.0, to_end_m / ramp_m)
        return self.speed_m_s * (_THREADING_SHARE + (1 - _THREADING_SHARE) * share)


def _within(name: str, value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        shown = f"{value:g} {unit}".strip()
        raise ConfigError(f"{name} is {shown}: it must be from {low:g} to {high:g} {unit}".rstrip())
