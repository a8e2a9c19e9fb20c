"""The table of a station file that tells what the encoder's counts mean."""

from typing import Literal

from pydantic import Field

from stripscan.runtime.section import Section, unit


class EncoderSection(Section):
    """The encoder that follows the strip; its counts come with the camera's blocks.

    Attributes:
        mm_per_count: Way of the strip from count to count, in mm.
        counter_bits: Width of the camera's counter, which starts again at 0 when it is full.
        direction: 1 where counts rise while the strip moves forward, -1 where they fall.
        triggers_lines: Whether a line is taken every ``camera.mm_per_line``; False for a camera
            that runs free, whose pitch follows from the counts.
        max_speed_m_s: Highest speed that the strip can have, in m/s.
        max_reversal_m: Farthest that the strip can move back, in m.
    """

    mm_per_count: float = Field(gt=0, le=100, json_schema_extra=unit("mm"))
    counter_bits: Literal[16, 32, 64] = 32
    direction: Literal[1, -1] = 1
    triggers_lines: bool = True
    max_speed_m_s: float = Field(default=30.0, gt=0, le=100, json_schema_extra=unit("m/s"))
    max_reversal_m: float = Field(default=1.0, ge=0, le=100, json_schema_extra=unit("m"))
