"""One GenICam camera under control: opened, configured, its buffers received."""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import CameraError
from stripscan.runtime.sources.aravis import glib_error, has_control, load_aravis, mapped_errors
from stripscan.runtime.sources.aravis_features import CameraFeatures, configure
from stripscan.runtime.sources.gaps import lost_rows
from stripscan.runtime.station_genicam import GenicamSource

logger = logging.getLogger(__name__)

_NO_ID = 2**64 - 1
_ENCODER_CHUNK = "EncoderValue"
_SOCKET_BLOCKS = 8
_COUNTERS = {
    "n_received_packets": "packets_received",
    "n_missing_packets": "packets_missing",
    "n_resend_requests": "packets_asked_again",
    "n_resent_packets": "packets_resent",
    "n_completed_buffers": "blocks_whole",
    "n_failures": "blocks_incomplete",
    "n_missing_frames": "blocks_missing",
    "n_underruns": "packets_without_buffer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What one buffer brought.

    Attributes:
        pixels: uint8 or uint16 ``[lines, width]``, a copy; zero where nothing was received.
        lost: Ranges of rows ``(start, stop)`` that were not received.
        host_ns: ``time.monotonic_ns()`` when it was complete or given up.
        frame_id: The camera's count of frames; None where its first packet was lost.
        camera_ns: The camera's timestamp in ns; None in the same case.
        encoder_count: Encoder count, where the camera sends it as chunk data.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    lost: tuple[tuple[int, int], ...]
    host_ns: int
    frame_id: int | None
    camera_ns: int | None
    encoder_count: int | None


class AravisCamera:
    """A camera as a station file describes it. Use it in one thread at a time.

    Args:
        source: Which camera, and its features.

    Raises:
        ConfigError: The camera cannot do what the station file asks for.
        CameraError: It does not answer, or obeys another program.
        MissingPartError: PyGObject or Aravis is not installed.
    """

    def __init__(self, source: GenicamSource) -> None:
        self._aravis = load_aravis()
        self._source = source
        self._stream: Any = None
        self._chunks: Any = None
        self._lost = threading.Event()
        with mapped_errors(source.id):
            self._camera = self._aravis.Camera.new(source.id)
        self._device = self._camera.get_device()
        self._signal = self._device.connect("control-lost", lambda _device: self._lost.set())
        try:
            self._configure()
        except BaseException:
            self.close()
            raise

    def _configure(self) -> None:
        source, camera = self._source, self._camera
        if not has_control(self._aravis, camera):
            raise CameraError(
                f"camera {source.id} obeys another program: stop that, or wait some seconds if "
                "it was killed"
            )
        features = CameraFeatures(camera, name=source.id)
        configure(features, source)
        with mapped_errors(source.id):
            self._set_packets()
            self._packet_bytes = camera.gv_get_packet_size() if camera.is_gv_device() else None
            self._set_chunks()
            self.width_px: int = camera.get_integer("Width")

    def _set_packets(self) -> None:
        """Choose how packets come; the socket is the plain one, which needs no privileges."""
        source, camera = self._source, self._camera
        if not camera.is_gv_device():
            return
        camera.gv_set_stream_options(self._aravis.GvStreamOption.PACKET_SOCKET_DISABLED)
        if source.packet_bytes is None:
            camera.gv_auto_packet_size()
        else:
            camera.gv_set_packet_size(source.packet_bytes)
        if source.packet_delay_ns is not None:
            camera.gv_set_packet_delay(source.packet_delay_ns)

    def _set_chunks(self) -> None:
        """Let the camera send the encoder count with each block, where it can."""
        camera = self._camera
        if not camera.are_chunks_available():
            return
        if _ENCODER_CHUNK in camera.dup_available_enumerations_as_strings("ChunkSelector"):
            camera.set_chunk_mode(True)
            camera.set_chunk_state(_ENCODER_CHUNK, True)
            self._chunks = camera.create_chunk_parser()

    @property
    def lost(self) -> bool:
        """Whether the camera no longer answers, or no longer obeys this program."""
        return self._lost.is_set()

    def start(self) -> None:
        """Begin to receive.

        Raises:
            CameraError: The camera refused it, or is gone.
        """
        with mapped_errors(self._source.id):
            size = self._camera.get_payload()
            stream = self._camera.create_stream(None, None)
            if self._packet_bytes is not None:
                stream.set_property("socket-buffer", self._aravis.GvStreamSocketBuffer.FIXED)
                stream.set_property("socket-buffer-size", size * _SOCKET_BLOCKS)
            for _ in range(self._source.buffers):
                memory = np.zeros(size, np.uint8)
                buffer = self._aravis.Buffer.new(size, memory.ctypes.data)
                buffer.memory = memory  # lives as long as Aravis may write to it
                buffer.set_frame_id(_NO_ID)
                stream.push_buffer(buffer)
            self._stream = stream
            self._camera.start_acquisition()

    def take(self, timeout_s: float) -> Arrival | None:
        """Return what came next, or None where nothing came in time.

        The buffer goes back to the receiver before this returns.
        """
        buffer = self._stream.timeout_pop_buffer(round(timeout_s * 1e6))
        if buffer is None:
            return None
        arrival = self._arrival(buffer)
        buffer.memory[:] = 0
        buffer.set_frame_id(_NO_ID)
        self._stream.push_buffer(buffer)
        return arrival

    def _arrival(self, buffer: Any) -> Arrival:
        host_ns = time.monotonic_ns()
        dtype = np.dtype(np.uint8 if self._source.bits == 8 else np.uint16)
        row_bytes, lines = self.width_px * dtype.itemsize, self._source.block_lines
        status, codes = buffer.get_status(), self._aravis.BufferStatus
        if status == codes.SUCCESS:
            lines = min(buffer.get_image_height(), lines)
        data = buffer.memory[: lines * row_bytes].copy()
        lost: tuple[tuple[int, int], ...] = ()
        if status in {codes.MISSING_PACKETS, codes.TIMEOUT}:
            lost = lost_rows(data, row_bytes=row_bytes, packet_bytes=self._packet_bytes)
        elif status != codes.SUCCESS:
            lost = ((0, lines),)
        known = buffer.get_frame_id() != _NO_ID
        return Arrival(
            pixels=data.view(dtype).reshape(lines, self.width_px),
            lost=lost,
            host_ns=host_ns,
            frame_id=buffer.get_frame_id() if known else None,
            camera_ns=buffer.get_timestamp() if known else None,
            encoder_count=self._encoder_count(buffer) if status == codes.SUCCESS else None,
        )

    def _encoder_count(self, buffer: Any) -> int | None:
        if self._chunks is None:
            return None
        try:
            return int(self._chunks.get_integer_value(buffer, f"Chunk{_ENCODER_CHUNK}"))
        except glib_error():
            return None

    def statistics(self) -> dict[str, int]:
        """Return what the receiver counted since :meth:`start`."""
        stream = self._stream
        if stream is None:
            return {}
        found = {stream.get_info_name(index): index for index in range(stream.get_n_infos())}
        return {
            ours: stream.get_info_uint64(found[theirs])
            for theirs, ours in _COUNTERS.items()
            if theirs in found
        }

    def close(self, *, gone: bool = False) -> None:
        """Stop the camera and let go of it; a second time does nothing.

        Args:
            gone: Whether it is not worth while to tell the camera, which costs seconds then.
        """
        if self._camera is None:
            return
        if self._stream is not None and not gone:
            try:
                self._camera.stop_acquisition()
            except glib_error() as error:
                logger.debug("camera could not be stopped", extra={"reason": str(error)})
        self._device.disconnect(self._signal)
        # Aravis ends its threads and gives control back when the last reference is gone.
        self._chunks = self._stream = self._device = self._camera = None
