"""What TensorRT needs of a machine, and which part of it is missing.

Without a driver, TensorRT's runtime object is a segmentation fault in waiting: every use of it
crashes, its destruction too. So CUDA is asked for a device before anything of TensorRT is made.
"""

import ctypes
import importlib
import importlib.util
import logging
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from stripscan.contract.errors import MissingPartError
from stripscan.runtime.engines.cuda_graph import DRIVER_LIBRARY

if TYPE_CHECKING:
    import tensorrt as trt

logger = logging.getLogger(__name__)

_OLDEST: Final = 10
_NO_DEVICE: Final = 100
"""``CUDA_ERROR_NO_DEVICE``."""

_KEPT_MESSAGES: Final = 8


def tensorrt_problem() -> str | None:
    """Return what this machine lacks for TensorRT, with the remedy, or None if it has all."""
    missing = [*_missing_device(), *_missing_packages()]
    if not missing and (broken := _broken_package()):
        missing = [broken]
    return "; ".join(missing) or None


def require_tensorrt() -> None:
    """Check that TensorRT can be used here.

    Raises:
        MissingPartError: A part is missing; the message names every one.
    """
    if problem := tensorrt_problem():
        raise MissingPartError(
            f"TensorRT cannot be used on this machine. Missing: {problem}. An engine belongs to "
            "the GPU it was built on, so nothing has to be built elsewhere: on its first start on "
            "the target, 'stripscan run' builds the engine from the bundle"
        )


def _missing_device() -> Iterator[str]:
    try:
        driver = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        yield (
            f"the NVIDIA driver ({DRIVER_LIBRARY}; install the distribution's nvidia-driver "
            "package, on a Jetson JetPack, in a container the NVIDIA Container Toolkit)"
        )
        return
    status = int(driver.cuInit(0))
    count = ctypes.c_int()
    if status == 0:
        status = int(driver.cuDeviceGetCount(ctypes.byref(count)))
    if status not in {0, _NO_DEVICE}:
        yield f"a working NVIDIA driver (CUDA error {status}; 'nvidia-smi' says more)"
    elif count.value == 0:
        yield "an NVIDIA GPU (the driver shows none; see CUDA_VISIBLE_DEVICES and 'nvidia-smi -L')"


def _missing_packages() -> Iterator[str]:
    if importlib.util.find_spec("tensorrt") is None:
        yield (
            "the Python package tensorrt (pip install 'stripscan[gpu]'; a Jetson has it from "
            "JetPack, for environments made with --system-site-packages)"
        )
    if importlib.util.find_spec("pycuda") is None:
        yield (
            "the Python package pycuda (pip install 'stripscan[gpu]'; it is compiled and needs "
            "g++ and the CUDA headers)"
        )


def _broken_package() -> str | None:
    """Import the packages, which is safe where there is a device."""
    for name in ("tensorrt", "pycuda.driver"):
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError) as error:
            return f"a working {name} (its import says: {error})"
        if name == "tensorrt" and int(module.__version__.partition(".")[0]) < _OLDEST:
            return f"TensorRT {_OLDEST} or newer ({module.__version__} is installed)"
    return None


class Messages:
    """The last errors that TensorRT logged: where a call fails, it returns no more than None."""

    def __init__(self) -> None:
        self._last: deque[str] = deque(maxlen=_KEPT_MESSAGES)

    def add(self, text: str) -> None:
        """Keep an error."""
        self._last.append(text)

    def __str__(self) -> str:
        return "; ".join(self._last) or "it gave no reason"


def tensorrt_logger(messages: Messages) -> "trt.ILogger":
    """Return a logger for TensorRT that hands on what it says, and keeps its errors.

    It must live as long as anything that was made with it.
    """
    import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

    levels = {
        int(trt.ILogger.Severity.INTERNAL_ERROR): logging.ERROR,
        int(trt.ILogger.Severity.ERROR): logging.ERROR,
        int(trt.ILogger.Severity.WARNING): logging.WARNING,
        int(trt.ILogger.Severity.INFO): logging.DEBUG,  # hundreds of lines a build
    }

    class Forward(trt.ILogger):  # type: ignore[misc] # untyped where TensorRT is not installed
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: "trt.ILogger.Severity", msg: str) -> None:
            level = levels.get(int(severity))
            if level is None:
                return
            logger.log(level, "TensorRT: %s", msg)
            if level == logging.ERROR:
                messages.add(msg)

    return Forward()
