"""The simulated strip as a GigE Vision camera, so that a run goes over the real protocol.

Aravis has a camera made of software that answers discovery, control and registers, and sends its
picture in packets. Its picture comes from a function, which Python can give it through ctypes
alone: introspection would free the function as soon as it is set.
"""

import ctypes
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import CameraError, MissingPartError

logger = logging.getLogger(__name__)

_LIBRARY = "libaravis-0.8.so.0"
_REGISTERS = {"width": 0x100, "height": 0x104, "period_us": 0x138, "packet_bytes": 0x0D04}
"""Where the software camera keeps its settings; arvfakecamera.h, and the GigE Vision bootstrap."""

_MAX_PX = 2048
_PACKET_BYTES = 8192
_FILL = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32
)


def _load() -> Any:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise MissingPartError(
            "a simulated camera needs Aravis 0.8. Install it with: apt-get install libaravis-0.8-0"
        ) from error
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    types: dict[str, tuple[Any, list[Any]]] = {
        "arv_gv_fake_camera_new": (pointer, [text, text]),
        "arv_gv_fake_camera_is_running": (ctypes.c_int, [pointer]),
        "arv_gv_fake_camera_get_fake_camera": (pointer, [pointer]),
        "arv_fake_camera_write_register": (
            ctypes.c_int,
            [pointer, ctypes.c_uint32, ctypes.c_uint32],
        ),
        "arv_fake_camera_set_fill_pattern": (None, [pointer, _FILL, pointer]),
        "arv_buffer_get_data": (pointer, [pointer, ctypes.POINTER(ctypes.c_size_t)]),
        "g_object_unref": (None, [pointer]),
    }
    for name, (result, arguments) in types.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class SimulatedCamera:
    """A GigE Vision camera that sends given blocks once, and then black ones.

    It begins with the first block when a receiver starts it.

    Args:
        blocks: uint8 ``[lines, width]``, all of one size, at most 2048 px wide and 2048 lines.
        address: IP address of a network card of this machine, which it takes for itself.
        period_s: Time from block to block, in s.

    Raises:
        CameraError: The size does not suit it, or the address is taken or not of this machine.
        MissingPartError: Aravis is not installed.
    """

    def __init__(
        self, blocks: Sequence[NDArray[np.uint8]], *, address: str, period_s: float
    ) -> None:
        lines, width_px = blocks[0].shape
        if lines > _MAX_PX or width_px > _MAX_PX:
            raise CameraError(
                f"a simulated camera sends at most {_MAX_PX} px by {_MAX_PX} lines in a block, "
                f"not {width_px} px by {lines} lines"
            )
        self._blocks = blocks
        self._sent = 0
        self._library = _load()
        self.id = f"Aravis-Fake-{address}"
        self._camera = self._library.arv_gv_fake_camera_new(address.encode(), address.encode())
        if not self._camera or not self._library.arv_gv_fake_camera_is_running(self._camera):
            raise CameraError(
                f"no camera can be simulated at {address}: it must be an address of this machine "
                "at which no other one is simulated"
            )
        fake = self._library.arv_gv_fake_camera_get_fake_camera(self._camera)
        settings = {
            "width": width_px,
            "height": lines,
            "period_us": max(round(period_s * 1e6), 1),
            "packet_bytes": _PACKET_BYTES,
        }
        for name, value in settings.items():
            self._library.arv_fake_camera_write_register(fake, _REGISTERS[name], value)
        self._fill = _FILL(self._fill_buffer)  # kept: the library calls it until the end
        self._library.arv_fake_camera_set_fill_pattern(fake, self._fill, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Switch the camera off."""
        camera, self._camera = self._camera, None
        if camera:
            self._library.g_object_unref(camera)

    @property
    def sent_blocks(self) -> int:
        """How many blocks were sent, black ones included."""
        return self._sent

    def _fill_buffer(
        self, buffer: int, _data: int, _exposure: int, _gain: int, _format: int
    ) -> None:
        size = ctypes.c_size_t()
        address = self._library.arv_buffer_get_data(buffer, ctypes.byref(size))
        lines, width_px = self._blocks[0].shape
        memory = (ctypes.c_uint8 * (lines * width_px)).from_address(address)
        picture = np.ctypeslib.as_array(memory).reshape(lines, width_px)
        if self._sent < len(self._blocks):
            picture[:] = self._blocks[self._sent]
        else:
            picture[:] = 0
        self._sent += 1
