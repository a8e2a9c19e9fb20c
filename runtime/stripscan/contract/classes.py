"""The six defect classes of hot-rolled strip, in the order of their ids."""

from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["minor", "major", "critical"]

SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "major", "minor")
"""From the worst."""

BACKGROUND = 0
"""Class id of metal without a defect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectClass:
    """One kind of surface defect.

    Attributes:
        id: Value of its pixels in a mask, 1–255.
        name: Machine name, the spelling of NEU-DET.
        title: What a person reads.
        colour: ``#rrggbb``; the six are told apart with any colour vision (Okabe and Ito, 2008).
        severity: Severity where no rule says otherwise.
    """

    id: int
    name: str
    title: str
    colour: str
    severity: Severity


NEU_CLASSES: tuple[DefectClass, ...] = (
    DefectClass(id=1, name="crazing", title="Crazing", colour="#56b4e9", severity="major"),
    DefectClass(id=2, name="inclusion", title="Inclusion", colour="#d55e00", severity="critical"),
    DefectClass(id=3, name="patches", title="Patches", colour="#009e73", severity="minor"),
    DefectClass(
        id=4, name="pitted_surface", title="Pitted surface", colour="#cc79a7", severity="major"
    ),
    DefectClass(
        id=5, name="rolled-in_scale", title="Rolled-in scale", colour="#e69f00", severity="major"
    ),
    DefectClass(id=6, name="scratches", title="Scratches", colour="#f0e442", severity="minor"),
)

CLASS_ID = {c.name: c.id for c in NEU_CLASSES}
"""Class id by machine name."""
