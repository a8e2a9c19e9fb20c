"""``stripscan cameras``: which GigE Vision and USB3 Vision cameras answer."""

from collections.abc import Iterator

from stripscan.contract.errors import CameraError
from stripscan.runtime.sources.aravis import FoundCamera, find_cameras
from stripscan.terminal.console import results


def cameras() -> None:
    """List the GigE Vision and USB3 Vision cameras that answer."""
    found = find_cameras()
    if not found:
        raise CameraError(
            "no camera answers. Check power and cable, that the network card has an address in "
            "the camera's network, and that the firewall lets UDP in; for USB, that the user may "
            "use the device"
        )
    for camera in found:
        results.print("\n".join(_lines(camera)), soft_wrap=True, markup=False, highlight=False)


def _lines(camera: FoundCamera) -> Iterator[str]:
    yield camera.id
    yield f"  {camera.vendor} {camera.model}, serial number {camera.serial}"
    yield f"  {camera.protocol} at {camera.address}, {camera.state}"
    if camera.width_px is not None:
        yield f"  {camera.width_px} × {camera.height_lines} px, {', '.join(camera.pixel_formats)}"
