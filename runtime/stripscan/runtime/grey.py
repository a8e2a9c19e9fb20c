"""Grey values at which a picture stops telling of metal."""

from typing import Final

DARK_GREY: Final = 24
"""Below this grey value nothing is lit."""

BLOWN_GREY: Final = 254
"""From this grey value on the sensor is saturated."""
