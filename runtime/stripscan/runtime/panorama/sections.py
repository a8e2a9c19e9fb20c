"""A station of several cameras, seen as stations of one: each camera's, and each surface's."""

from stripscan.contract.errors import ConfigError
from stripscan.runtime.station import CameraSection, Station
from stripscan.runtime.station_view import ViewSection


def camera_stations(station: Station) -> tuple[Station, ...]:
    """Return a station for each camera, in the order of the file; the station itself for one."""
    if not station.view:
        return (station,)
    return tuple(_of_view(station, view) for view in station.view)


def camera_station(station: Station, camera: str | None) -> Station:
    """Return the station of one camera.

    Args:
        station: The whole station.
        camera: Its name; None where there is only one.

    Raises:
        ConfigError: There is none of this name, or none is named and there are several.
    """
    stations = camera_stations(station)
    if camera is None and len(stations) == 1:
        return stations[0]
    for one in stations:
        if one.camera.name == camera:
            return one
    names = ", ".join(one.camera.name for one in stations)
    asked = "is to be named" if camera is None else f'is not "{camera}"'
    raise ConfigError(f"the camera {asked}: station {station.name} has {names}")


def surface_stations(station: Station) -> tuple[Station, ...]:
    """Return a station for each surface that is seen, the top first."""
    surfaces = sorted({view.surface for view in station.view}, reverse=True)
    return tuple(
        _with_camera(
            station, station.camera.model_copy(update={"name": surface, "surface": surface})
        )
        for surface in surfaces
    )


def _of_view(station: Station, view: ViewSection) -> Station:
    own = {
        "name": view.name,
        "surface": view.surface,
        "mm_per_px": view.mm_per_px or station.camera.mm_per_px,
        "flat_field": view.flat_field,
    }
    one = _with_camera(station, station.camera.model_copy(update=own))
    return one.model_copy(update={"source": view.source})


def _with_camera(station: Station, camera: CameraSection) -> Station:
    return station.model_copy(update={"camera": camera, "view": ()})
