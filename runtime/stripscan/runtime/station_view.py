"""The tables ``[[view]]`` of a station file: several cameras over one strip."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from stripscan.runtime.section import RelPath, Section, unit
from stripscan.runtime.station_sources import SourceSection, source_below

if TYPE_CHECKING:
    from stripscan.runtime.station import CameraSection

_OF_EACH_VIEW = ("name", "surface", "flat_field")


class ViewSection(Section):
    """One of several cameras: what it sees of the strip, and where its lines come from.

    Attributes:
        name: Its name in coverage, figures and logs.
        surface: Side of the strip that it sees.
        left_mm: Where the left end of its view lies across the line, in mm from any fixed place:
            that of all cameras of the surface. Left is as seen from above, in travel direction.
        mirrored: Whether its first column is at the right end of its view.
        offset_mm: How much farther down the line it is mounted than others, in mm.
        mm_per_px: Pitch across the strip, in mm; that of ``[camera]`` where None.
        flat_field: What ``stripscan flat-field learn`` wrote for it.
        source: Where its lines come from.
    """

    name: str = Field(min_length=1)
    surface: Literal["top", "bottom"] = "top"
    left_mm: float = Field(ge=-100_000, le=100_000, json_schema_extra=unit("mm"))
    mirrored: bool = False
    offset_mm: float = Field(default=0.0, ge=-100_000, le=100_000, json_schema_extra=unit("mm"))
    mm_per_px: float | None = Field(default=None, gt=0, le=100, json_schema_extra=unit("mm"))
    flat_field: RelPath | None = None
    source: SourceSection

    def below(self, folder: Path) -> "ViewSection":
        """Return the view with each relative path put below a folder."""
        field = None if self.flat_field is None else folder / self.flat_field
        source = source_below(self.source, folder)
        return self.model_copy(update={"source": source, "flat_field": field})


def with_a_source(given: Any) -> Any:
    """Return what a station file says with a source of its own, where its views have theirs.

    Raises:
        ValueError: It has a ``[source]`` as well.
    """
    if not isinstance(given, dict) or not given.get("view"):
        return given
    if "source" in given:
        raise ValueError(
            "a table [source] does not go with [[view]]: give each view its own [view.source]"
        )
    return given | {"source": {"kind": "simulator"}}  # until that of the first view is known


def check_views(views: Sequence[ViewSection], camera: "CameraSection") -> None:
    """Refuse views that cannot be told apart, or do not go with ``[camera]``.

    Raises:
        ValueError: Two have one name, a key belongs to each of them, or a pitch is far off.
    """
    names = [view.name for view in views]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f'two tables [[view]] have the name = "{twice}": give each its own')
    if wrong := next((key for key in _OF_EACH_VIEW if key in camera.model_fields_set), None):
        raise ValueError(
            f"{wrong} in [camera] is for a station with one camera: give it in each [[view]]"
        )
    for view in views:
        pitch_mm = view.mm_per_px or camera.mm_per_px
        if not 0.5 <= pitch_mm / camera.mm_per_px <= 2:
            raise ValueError(
                f'mm_per_px = {pitch_mm:g} of view "{view.name}" is more than twice as fine or '
                f"coarse as mm_per_px = {camera.mm_per_px:g} in [camera], the pitch in which the "
                "strip is inspected: choose that nearer to those of the cameras"
            )
