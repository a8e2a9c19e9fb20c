"""Aravis, the library that speaks GigE Vision and USB3 Vision: loading it, finding cameras.

It is reached through GObject introspection, which has no types for Python.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from stripscan.contract.errors import CameraError, CameraLost, CameraTimeout, MissingPartError

DEBIAN_PACKAGES = "gir1.2-aravis-0.8 libgirepository1.0-dev libcairo2-dev pkg-config gcc"
_DEVICE_ERRORS = "arv-device-error-quark"


def load_aravis() -> Any:
    """Return the module of Aravis 0.8.

    Raises:
        MissingPartError: PyGObject or Aravis is not installed.
    """
    try:
        gi = importlib.import_module("gi")
        gi.require_version("Aravis", "0.8")
        return importlib.import_module("gi.repository.Aravis")
    except (ImportError, ValueError) as error:  # ValueError: no introspection data
        raise MissingPartError(
            "GigE Vision and USB3 Vision cameras need Aravis 0.8 and PyGObject. Install them "
            f"with: apt-get install {DEBIAN_PACKAGES}, then pip install 'stripscan[camera]' "
            f"({error})"
        ) from error


@contextmanager
def mapped_errors(camera: str) -> Iterator[None]:
    """Turn the errors of Aravis into ours.

    Args:
        camera: The camera as the user named it.

    Raises:
        CameraLost: The camera no longer answers.
        CameraTimeout: It did not answer in time.
        CameraError: There is no such camera, or anything else.
    """
    try:
        yield
    except glib_error() as error:
        raise _mapped(camera, error) from error


def glib_error() -> type[Exception]:
    """Return the class of the errors that Aravis raises."""
    error: type[Exception] = importlib.import_module("gi.repository.GLib").Error
    return error


def _mapped(camera: str, error: Any) -> CameraError:
    codes = load_aravis().DeviceError
    said = error.message
    code = error.code if error.domain == _DEVICE_ERRORS else None
    if code == codes.NOT_FOUND:
        return CameraError(
            f"no camera {camera} answers ({said}). 'stripscan cameras' lists those that do; check "
            "its power, its cable, and that its IP address is in the network of this machine"
        )
    if code == codes.NOT_CONNECTED:
        return CameraLost(f"camera {camera} is gone: {said}. Check its power and its cable")
    if code == codes.TIMEOUT:
        return CameraTimeout(f"camera {camera} did not answer in time: {said}")
    return CameraError(f"camera {camera}: {said}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCamera:
    """A camera that answered a search.

    Attributes:
        id: What ``source.id`` of a station file takes.
        vendor: Who made it.
        model: Its model.
        serial: Its serial number.
        address: IP address, or USB bus and device.
        protocol: ``GigEVision`` or ``USB3Vision``.
        width_px: Width of its image; None where it could not be asked.
        height_lines: Height of its image; the same.
        pixel_formats: Pixel formats that it offers.
        state: ``free``, ``in use``, or why it cannot be asked.
    """

    id: str
    vendor: str
    model: str
    serial: str
    address: str
    protocol: str
    width_px: int | None
    height_lines: int | None
    pixel_formats: tuple[str, ...]
    state: str


def find_cameras() -> tuple[FoundCamera, ...]:
    """Search all networks and USB ports, which takes a second, and ask each camera.

    Raises:
        MissingPartError: PyGObject or Aravis is not installed.
    """
    aravis = load_aravis()
    aravis.update_device_list()
    return tuple(_found(aravis, index) for index in range(aravis.get_n_devices()))


def _found(aravis: Any, index: int) -> FoundCamera:
    identity = aravis.get_device_id(index)
    size: tuple[int | None, int | None] = (None, None)
    formats: tuple[str, ...] = ()
    try:
        with mapped_errors(identity):
            camera = aravis.Camera.new(identity)
            size = (camera.get_integer("Width"), camera.get_integer("Height"))
            formats = tuple(camera.dup_available_pixel_formats_as_strings())
            state = "free" if has_control(aravis, camera) else "in use"
    except CameraError as error:
        state = str(error)
    return FoundCamera(
        id=identity,
        vendor=aravis.get_device_vendor(index) or "",
        model=aravis.get_device_model(index) or "",
        serial=aravis.get_device_serial_nbr(index) or "",
        address=aravis.get_device_address(index) or "",
        protocol=aravis.get_device_protocol(index) or "",
        width_px=size[0],
        height_lines=size[1],
        pixel_formats=formats,
        state=state,
    )


def has_control(aravis: Any, camera: Any) -> bool:
    """Return whether a camera that was opened obeys this program, and not another one."""
    device = camera.get_device()
    return not isinstance(device, aravis.GvDevice) or bool(device.is_controller())
