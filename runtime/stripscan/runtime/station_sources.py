"""The tables ``[source]`` of a station file: where lines come from."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stripscan.runtime.section import RelPath, Section, unit
from stripscan.runtime.station_genicam import GenicamSource


class FolderSource(Section):
    """Image files of one width, each a block.

    Attributes:
        path: The folder.
        pattern: Which of its files, with ``*`` and ``?``.
        on_bad_image: ``unknown`` counts an unreadable image as lost lines; ``stop`` ends the run.
    """

    kind: Literal["folder"]
    path: RelPath
    pattern: str = Field(default="*", min_length=1)
    on_bad_image: Literal["unknown", "stop"] = "unknown"


class VideoSource(Section):
    """A video file, a network stream, or a V4L2 device.

    Attributes:
        uri: A file, ``rtsp://…``, or a device: ``/dev/video0``, or its number, ``"0"``.
        frame_step_lines: Lines by which the strip moves from frame to frame; the frame's height
            where None.
        timeout_s: How long a stream may be silent, in s.
    """

    kind: Literal["video"]
    uri: str = Field(min_length=1)
    frame_step_lines: int | None = Field(
        default=None, ge=1, le=65_536, json_schema_extra=unit("lines")
    )
    timeout_s: float = Field(default=5.0, gt=0, le=3600, json_schema_extra=unit("s"))

    @property
    def live(self) -> bool:
        """Whether the uri is a stream or a device, and no file."""
        return "://" in self.uri or self.uri.startswith("/dev/") or self.uri.isdecimal()


class SimulatorSource(Section):
    """A made strip with known defects; see :class:`stripscan.simulation.spec.StripSpec`.

    Attributes:
        width_px: Width of the camera's view in px.
        length_m: Length of the coil in m.
        strip_width_px: Width of the strip in px; 92 % of the view where None.
        seed: Same seed, same strip.
        defects_per_class: How many defects of every class are planted.
        wander_px: Greatest departure of the strip from the middle of the view, in px.
        shading: Share of light that is lost at the edges of the view.
        noise: Deviation of the sensor's noise in grey levels.
        speed_m_s: Steady speed of the strip in m/s; it counts where ``pace`` is true.
        real_data: Folder of real defects to plant; drawn ones where None.
        reversals: How many times the strip stops and moves back; it needs ``[encoder]``.
        reversal_mm: How far it moves back, in mm.
        block_lines: Lines in a block.
        pace: Deliver at the speed of the strip instead of as fast as possible.
        view_left_px: First column that the camera sees, from the left of ``width_px``: one of
            several cameras sees a part of the strip that they all see.
        view_px: How many columns it sees; all from the first one on where None.
        mirrored: Whether it sees them from right to left, as a camera below the strip may.
    """

    kind: Literal["simulator"]
    width_px: int = Field(default=1024, ge=64, le=65_536, json_schema_extra=unit("px"))
    length_m: float = Field(default=120.0, gt=0, le=100_000, json_schema_extra=unit("m"))
    strip_width_px: int | None = Field(default=None, ge=32, le=65_536, json_schema_extra=unit("px"))
    seed: int = Field(default=7, ge=0, le=2**63 - 1)
    defects_per_class: int = Field(default=10, ge=0, le=10_000, json_schema_extra=unit("defects"))
    wander_px: float = Field(default=6.0, ge=0, le=8192, json_schema_extra=unit("px"))
    shading: float = Field(default=0.15, ge=0, le=0.8)
    noise: float = Field(default=2.5, ge=0, le=50, json_schema_extra=unit("grey levels"))
    speed_m_s: float = Field(default=10.0, ge=0.01, le=100, json_schema_extra=unit("m/s"))
    real_data: RelPath | None = None
    reversals: int = Field(default=0, ge=0, le=1000)
    reversal_mm: float = Field(default=200.0, gt=0, le=100_000, json_schema_extra=unit("mm"))
    block_lines: int = Field(default=256, ge=1, le=65_535, json_schema_extra=unit("lines"))
    pace: bool = False
    view_left_px: int = Field(default=0, ge=0, le=65_536, json_schema_extra=unit("px"))
    view_px: int | None = Field(default=None, ge=32, le=65_536, json_schema_extra=unit("px"))
    mirrored: bool = False

    @model_validator(mode="after")
    def _view_is_inside(self) -> "SimulatorSource":
        if self.view_left_px + (self.view_px or 1) > self.width_px:
            seen = f" and view_px = {self.view_px}" if self.view_px else ""
            raise ValueError(
                f"view_left_px = {self.view_left_px}{seen} reach beyond width_px = "
                f"{self.width_px}, which all cameras see together"
            )
        return self

    @property
    def seen_px(self) -> int:
        """How many columns the camera sees."""
        return self.view_px or self.width_px - self.view_left_px


SourceSection = Annotated[
    FolderSource | VideoSource | GenicamSource | SimulatorSource, Field(discriminator="kind")
]
"""Where the lines come from; ``kind`` tells which."""


def source_below(source: SourceSection, folder: Path) -> SourceSection:
    """Return a source with each relative path put below a folder."""
    if isinstance(source, FolderSource):
        return source.model_copy(update={"path": folder / source.path})
    if isinstance(source, VideoSource) and not source.live:
        return source.model_copy(update={"uri": str(folder / source.uri)})
    if isinstance(source, SimulatorSource) and source.real_data is not None:
        return source.model_copy(update={"real_data": folder / source.real_data})
    return source
