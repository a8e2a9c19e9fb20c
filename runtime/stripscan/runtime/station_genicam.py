"""The table of a station file for a GigE Vision or USB3 Vision camera."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from stripscan.runtime.section import Section, unit

FeatureValue = bool | int | float | str
"""What a feature of a camera may hold."""

FREE = "free"
ENCODER = "encoder"


def _table_of_features(given: object) -> object:
    if not isinstance(given, dict) or not all(
        isinstance(value, FeatureValue) for value in given.values()
    ):
        raise ValueError("it must be a table of numbers, texts, true or false, like { Gain = 2.5 }")
    return given


class GenicamSource(Section):
    """A GigE Vision or USB3 Vision line camera, driven by Aravis.

    A key that is None leaves the camera as it is.

    Attributes:
        id: What ``stripscan cameras`` lists: its id; an IP address or a serial number will do.
        exposure_us: Exposure of a line in microseconds.
        line_rate_hz: Lines a second, where the camera runs freely.
        trigger: ``free``, ``encoder``, or a TriggerSource of the camera.
        encoder_divider: Encoder steps for each line.
        pixel_format: Grey values; those of more than 8 bits arrive unpacked.
        block_lines: Lines in a block, the camera's Height.
        packet_bytes: Size of a GigE packet with its headers; negotiated where None.
        packet_delay_ns: Pause between GigE packets, in ns.
        buffers: Blocks that the receiver has room for.
        timeout_s: How long a camera that runs freely may be silent, in s.
        reconnect_s: How long a camera that was lost is waited for, in s.
        features: Other features of the camera, set in this order before the ones above.
    """

    kind: Literal["genicam"]
    id: str = Field(min_length=1)
    exposure_us: float | None = Field(
        default=None, gt=0, le=1_000_000, json_schema_extra=unit("us")
    )
    line_rate_hz: float | None = Field(
        default=None, gt=0, le=1_000_000, json_schema_extra=unit("Hz")
    )
    trigger: str = Field(default=FREE, min_length=1)
    encoder_divider: int | None = Field(
        default=None, ge=1, le=65_536, json_schema_extra=unit("steps")
    )
    pixel_format: Literal["Mono8", "Mono10", "Mono12", "Mono16"] = "Mono8"
    block_lines: int = Field(default=256, ge=1, le=65_535, json_schema_extra=unit("lines"))
    packet_bytes: int | None = Field(
        default=None, ge=220, le=16_404, json_schema_extra=unit("bytes")
    )
    packet_delay_ns: int | None = Field(
        default=None, ge=0, le=1_000_000_000, json_schema_extra=unit("ns")
    )
    buffers: int = Field(default=32, ge=4, le=1024, json_schema_extra=unit("blocks"))
    timeout_s: float = Field(default=5.0, gt=0, le=3600, json_schema_extra=unit("s"))
    reconnect_s: float = Field(default=60.0, ge=0, le=86_400, json_schema_extra=unit("s"))
    features: Annotated[dict[str, FeatureValue], BeforeValidator(_table_of_features)] = Field(
        default={}
    )

    @property
    def bits(self) -> int:
        """Bits of a grey value as it is sent."""
        return int(self.pixel_format.removeprefix("Mono"))

    def holds(self, bits: int) -> bool:
        """Return whether grey values of a camera of ``bits`` bits are sent in this format."""
        return bits == self.bits or (self.bits == 16 and bits > 8)
