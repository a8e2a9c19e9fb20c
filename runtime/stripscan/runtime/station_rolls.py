"""The tables of a station file about rolls and the marks that they print."""

from typing import Literal

from pydantic import Field, model_validator

from stripscan.runtime.roll_periods import Roll
from stripscan.runtime.section import Section, unit


class RollSection(Section):
    """A roll that touches a surface that is seen; see ``Roll``.

    Attributes:
        name: What people call it.
        diameter_mm: Its diameter when new, in mm.
        wear_mm: How much smaller wear and grinding may have made it, in mm.
        elongation: Length of the strip at the camera by its length when it left the roll, forward
            slip included.
        surface: Side of the strip that it touches; each that is seen where None.
    """

    name: str = Field(min_length=1)
    diameter_mm: float = Field(gt=0, le=5000, json_schema_extra=unit("mm"))
    wear_mm: float = Field(default=0.0, ge=0, le=1000, json_schema_extra=unit("mm"))
    elongation: float = Field(default=1.0, ge=0.5, le=100)
    surface: Literal["top", "bottom"] | None = None

    @model_validator(mode="after")
    def _something_is_left(self) -> "RollSection":
        if 2 * self.wear_mm > self.diameter_mm:
            raise ValueError(
                f"wear_mm = {self.wear_mm:g} is more than half of "
                f"diameter_mm = {self.diameter_mm:g}: give the wear of the diameter, in mm"
            )
        return self

    @property
    def roll(self) -> Roll:
        """The roll as the watch wants it."""
        return Roll(
            name=self.name,
            diameter_mm=self.diameter_mm,
            wear_mm=self.wear_mm,
            elongation=self.elongation,
        )


class RollRepeatSection(Section):
    """How roll repeats are looked for; see ``RollWatch``.

    Attributes:
        false_alarms_per_coil: Repeats that chance may make of a coil's defects, on average.
        min_diameter_mm: The smallest roll that is looked for beside the named ones, in mm.
        max_diameter_mm: The largest one, in mm.
    """

    false_alarms_per_coil: float = Field(default=0.01, gt=0, le=1)
    min_diameter_mm: float = Field(default=150.0, ge=50, le=5000, json_schema_extra=unit("mm"))
    max_diameter_mm: float = Field(default=2000.0, ge=50, le=5000, json_schema_extra=unit("mm"))

    @model_validator(mode="after")
    def _is_a_range(self) -> "RollRepeatSection":
        if self.min_diameter_mm >= self.max_diameter_mm:
            raise ValueError(
                f"min_diameter_mm = {self.min_diameter_mm:g} is not below "
                f"max_diameter_mm = {self.max_diameter_mm:g}"
            )
        return self
