"""The flat field that a station file names."""

import logging

from stripscan.contract.errors import ConfigError
from stripscan.runtime.conditioning.flat_field import FlatField, named_columns
from stripscan.runtime.conditioning.flat_field_file import load_flat_field
from stripscan.runtime.station import Station

logger = logging.getLogger(__name__)


def station_flat_field(station: Station, *, width_px: int | None = None) -> FlatField | None:
    """Return the flat field of a station's camera, or None where the station names none.

    Args:
        station: The station.
        width_px: Width of the camera's image, where it is known.

    Raises:
        DataError: The file is missing or damaged.
        ConfigError: It was learned for another camera, width or grey curve.
    """
    camera = station.camera
    if camera.flat_field is None:
        return None
    field = load_flat_field(camera.flat_field)
    origin = field.origin
    differs = [
        f"{what} {then!r} and not {now!r}"
        for what, then, now in (
            ("camera", origin.camera, camera.name),
            ("bits", origin.bits, camera.bits),
            ("transfer", origin.transfer, camera.transfer),
            ("width", f"{field.width_px} px", f"{width_px or field.width_px} px"),
        )
        if then != now
    ]
    if differs:
        raise ConfigError(
            f"{camera.flat_field} was learned with {', '.join(differs)}: learn a flat field for "
            "this station with 'stripscan flat-field learn'"
        )
    if field.dead.any():
        logger.warning(
            "the camera has dead columns: metal under them is not seen",
            extra={"camera": camera.name, "columns": named_columns(field.dead)},
        )
    return field
