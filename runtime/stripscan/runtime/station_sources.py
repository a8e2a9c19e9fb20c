"""The tables ``[source]`` of a station file: where lines come from."""

from typing import Annotated, Literal

from pydantic import Field

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


SourceSection = Annotated[
    FolderSource | VideoSource | GenicamSource | SimulatorSource, Field(discriminator="kind")
]
"""Where the lines come from; ``kind`` tells which."""
