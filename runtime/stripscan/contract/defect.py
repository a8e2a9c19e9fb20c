"""The record of one physical defect."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class DefectPhase(StrEnum):
    """Where a defect is in its life: it alarms when new, and grows until its end has passed."""

    NEW = "new"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One physical defect, however many tiles and blocks it touches.

    Along is measured from the coil's head, across from the strip's left edge as seen in travel
    direction from above, on both surfaces. Pixels are not square: the pitch along follows the
    encoder.

    Attributes:
        coil: Coil that it lies on.
        number: Number of the defect on the coil, from 1, in the order of appearance.
        phase: Life cycle.
        class_name: Class with the largest share.
        confidence: Mean confidence of that class over its pixels, 0–1.
        class_share: Share of each class found in the defect by score-weighted pixels; sums to 1.
        severity: Severity of the class.
        along_start_m: Nearest to the head, in m.
        along_end_m: Farthest from the head, in m.
        across_left_mm: Nearest to the left edge, in mm.
        across_right_mm: Farthest from the left edge, in mm.
        area_mm2: Area of the mask in mm².
        length_mm: Extent along in mm.
        width_mm: Extent across in mm.
        edge_left_mm: Distance to the strip's left edge in mm.
        edge_right_mm: Distance to the strip's right edge in mm.
        first_line: First line of the mask.
        last_line: Last line of the mask, inclusive.
        first_px: First column of the mask in the surface's picture: the camera's, if there is one.
        last_px: Last column of the mask, inclusive.
        area_px: Pixels in the mask.
        surface: Side of the strip, ``"top"`` or ``"bottom"``.
    """

    coil: str
    number: int
    phase: DefectPhase
    class_name: str
    confidence: float
    class_share: Mapping[str, float]
    severity: str
    along_start_m: float
    along_end_m: float
    across_left_mm: float
    across_right_mm: float
    area_mm2: float
    length_mm: float
    width_mm: float
    edge_left_mm: float
    edge_right_mm: float
    first_line: int
    last_line: int
    first_px: int
    last_px: int
    area_px: int
    surface: str = "top"
