"""The device layer: what the engines need of CUDA, over pycuda.

The primary context of the GPU is retained, as TensorRT and ONNX Runtime use it too, and pushed
for the length of a ``with`` block, so any thread may use a device. pycuda has no CUDA graphs; see
``cuda_graph``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from stripscan.contract.errors import EngineError
from stripscan.runtime.engines.base import Pixels

_DRIVER_VERSION: Final = Path("/sys/module/nvidia/version")


class CudaDevice:
    """The first GPU that CUDA shows; ``CUDA_VISIBLE_DEVICES`` chooses another.

    Memory, streams and events are made and freed inside ``current()``.

    Raises:
        EngineError: CUDA cannot be started on it.
    """

    def __init__(self) -> None:
        import pycuda.driver as cuda  # noqa: PLC0415 - the extra 'gpu' is optional

        self._cuda: Any = cuda  # pycuda ships no types
        with self._mapped():
            cuda.init()
            self._device = cuda.Device(0)
            self._context = self._device.retain_primary_context()

    @property
    def name(self) -> str:
        """Name of the GPU, as the driver gives it."""
        return str(self._device.name())

    @property
    def compute_capability(self) -> str:
        """Compute capability, like ``8.6``."""
        major, minor = self._device.compute_capability()
        return f"{major}.{minor}"

    @property
    def driver(self) -> str:
        """CUDA version of the driver, and the driver's own where the system tells it."""
        cuda = f"CUDA {self._cuda.get_driver_version()}"
        try:
            return f"{cuda}, {_DRIVER_VERSION.read_text(encoding='ascii').strip()}"
        except (OSError, UnicodeDecodeError):
            return cuda

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the device current in this thread for the length of the block.

        Raises:
            EngineError: A CUDA call inside failed.
        """
        with self._mapped():
            self._context.push()
            try:
                yield
            finally:
                self._cuda.Context.pop()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except self._cuda.Error as error:
            raise EngineError(f"CUDA failed: {error}; see the kernel's log for 'NVRM'") from error

    def stream(self) -> "CudaStream":
        """Return a stream of its own, not the default one."""
        return CudaStream(self._cuda)

    def memory(self, size_bytes: int) -> "DeviceMemory":
        """Return memory of the GPU."""
        return DeviceMemory(self._cuda, size_bytes)

    def pinned(self, size_px: int) -> Pixels:
        """Return page-locked host memory, uint8 ``[size_px]``, which copies need to be async."""
        array: Pixels = self._cuda.pagelocked_empty(size_px, np.uint8)
        return array


class DeviceMemory:
    """Memory of the GPU; freed with the object."""

    def __init__(self, cuda: Any, size_bytes: int) -> None:
        self._allocation = cuda.mem_alloc(size_bytes)

    @property
    def address(self) -> int:
        """Its address on the device."""
        return int(self._allocation)


class CudaStream:
    """An ordered queue of work for the GPU; destroyed with the object."""

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self._stream = cuda.Stream()
        # A waiting thread sleeps: one that spins takes a core from the acquisition.
        flags = cuda.event_flags
        self._done = cuda.Event(int(flags.BLOCKING_SYNC) | int(flags.DISABLE_TIMING))

    @property
    def handle(self) -> int:
        """The ``CUstream``, for libraries that enqueue work on it."""
        return int(self._stream.handle)

    def upload(self, target: DeviceMemory, source: Pixels) -> None:
        """Enqueue a copy to the GPU; ``source`` is page-locked, contiguous, and stays as it is."""
        self._cuda.memcpy_htod_async(target.address, source, self._stream)

    def download(self, target: Pixels, source: DeviceMemory) -> None:
        """Enqueue a copy from the GPU into page-locked, contiguous memory."""
        self._cuda.memcpy_dtoh_async(target, source.address, self._stream)

    def wait(self) -> None:
        """Wait until everything that was enqueued is done."""
        self._done.record(self._stream)
        self._done.synchronize()
