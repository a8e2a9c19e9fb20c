"""CUDA graphs: work that was recorded once and is launched as a whole.

pycuda has none of these calls (2026.1), so they go to the driver's library, under the names and
signatures of ``cuda.h``.
"""

import contextlib
import ctypes
from collections.abc import Callable
from typing import Final

from stripscan.contract.errors import EngineError

DRIVER_LIBRARY: Final = "libcuda.so.1"
_THREAD_LOCAL: Final = 1
"""``CU_STREAM_CAPTURE_MODE_THREAD_LOCAL``: other threads may go on using CUDA."""

_SIGNATURES: Final[dict[str, list[type]]] = {
    "cuStreamBeginCapture_v2": [ctypes.c_void_p, ctypes.c_int],
    "cuStreamEndCapture": [ctypes.c_void_p, ctypes.c_void_p],
    "cuGraphInstantiateWithFlags": [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulonglong],
    "cuGraphLaunch": [ctypes.c_void_p, ctypes.c_void_p],
    "cuGraphExecDestroy": [ctypes.c_void_p],
    "cuGraphDestroy": [ctypes.c_void_p],
}


class _Driver:
    """The driver's calls, each checked."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(DRIVER_LIBRARY)
        for name, arguments in _SIGNATURES.items():
            call = getattr(self._library, name)
            call.argtypes = arguments
            call.restype = ctypes.c_int

    def __call__(self, name: str, *arguments: object) -> None:
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise EngineError(f"{name} failed with CUDA error {status}")


class CudaGraph:
    """Recorded work; made by ``capture`` and closed before what it uses is freed."""

    def __init__(self, driver: _Driver, executable: ctypes.c_void_p) -> None:
        self._driver = driver
        self._executable = executable

    def launch(self, stream: int) -> None:
        """Enqueue the work.

        Args:
            stream: Handle of the stream.

        Raises:
            EngineError: CUDA refused it.
        """
        self._driver("cuGraphLaunch", self._executable, stream)

    def close(self) -> None:
        """Free it; a second call does nothing."""
        if self._executable:
            self._driver("cuGraphExecDestroy", self._executable)
            self._executable = ctypes.c_void_p()


def capture(stream: int, enqueue: Callable[[], None]) -> CudaGraph:
    """Record what a function enqueues, without running it.

    Args:
        stream: Handle of a stream that is not the default one, with nothing left to do.
        enqueue: Enqueues the work on that stream, and waits for nothing.

    Raises:
        EngineError: The work holds something that cannot be recorded. The stream is usable.
    """
    driver = _Driver()
    graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
    driver("cuStreamBeginCapture_v2", stream, _THREAD_LOCAL)
    try:
        enqueue()
    except Exception as error:
        with contextlib.suppress(EngineError):  # says again that the recording failed
            driver("cuStreamEndCapture", stream, ctypes.byref(graph))
        raise EngineError(f"the work cannot be recorded: {error}") from error
    driver("cuStreamEndCapture", stream, ctypes.byref(graph))
    try:
        driver("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, 0)
    finally:
        driver("cuGraphDestroy", graph)
    return CudaGraph(driver, executable)
