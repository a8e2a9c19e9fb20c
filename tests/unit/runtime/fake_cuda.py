"""A GPU made of numpy: the calls that we make of pycuda and of the driver's library, no others.

Work on a stream happens when somebody waits for it, memory can be used only while a context is
current, and copies that are to overlap must be page-locked, as on the real thing.
"""

import ctypes
import importlib.machinery
import sys
import threading
from collections.abc import Callable
from enum import IntEnum
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

Work = Callable[[], None]
REAL_CDLL = ctypes.CDLL


class Error(Exception):
    """``pycuda.driver.Error``."""


class EventFlags(IntEnum):
    DEFAULT = 0
    BLOCKING_SYNC = 1
    DISABLE_TIMING = 2


class Gpu:
    """What the fakes share: memory by address, the work of each stream, what a test sets up.

    Attributes:
        count: How many GPUs the driver shows.
        init_status: What ``cuInit`` answers.
        capture_status: What the end of a capture answers.
        calls: Names of the calls that enqueue, record or launch, in order.
    """

    def __init__(self) -> None:
        self.count = 1
        self.init_status = 0
        self.capture_status = 0
        self.name = "Fake GPU"
        self.calls: list[str] = []
        self.memory: dict[int, NDArray[np.uint8]] = {}
        self.pinned: list[NDArray[np.uint8]] = []
        self.streams: dict[int, list[Work]] = {}
        self.captured: dict[int, list[Work]] = {}
        self.graphs: dict[int, list[Work]] = {}
        self._local = threading.local()
        self._next = 0x1000

    @property
    def contexts(self) -> list[object]:
        if not hasattr(self._local, "contexts"):
            self._local.contexts = []
        stack: list[object] = self._local.contexts
        return stack

    def address(self) -> int:
        self._next += 0x1000
        return self._next

    def need_context(self) -> None:
        if not self.contexts:
            raise Error("invalid device context")

    def enqueue(self, stream: int, name: str, work: Work) -> None:
        self.need_context()
        self.calls.append(name)
        queue = self.captured if stream in self.captured else self.streams
        queue[stream].append(work)

    def finish(self, stream: int) -> None:
        assert stream not in self.captured, "a capture must not be waited for"
        while self.streams[stream]:
            self.streams[stream].pop(0)()

    def is_pinned(self, array: NDArray[np.uint8]) -> bool:
        return any(np.shares_memory(array, pinned) for pinned in self.pinned)


def driver_module(gpu: Gpu) -> ModuleType:
    """Return ``pycuda.driver``."""

    class Context:
        __slots__ = ()

        def push(self) -> None:
            gpu.contexts.append(self)

        @staticmethod
        def pop() -> None:
            gpu.need_context()
            gpu.contexts.pop()

    class Device:
        __slots__ = ()

        def __init__(self, number: int) -> None:
            assert number < gpu.count

        def name(self) -> str:
            return gpu.name

        def compute_capability(self) -> tuple[int, int]:
            return 8, 7

        def retain_primary_context(self) -> Context:
            return Context()

    class Stream:
        __slots__ = ("handle",)

        def __init__(self) -> None:
            gpu.need_context()
            self.handle = gpu.address()
            gpu.streams[self.handle] = []

    class Event:
        __slots__ = ("_stream",)

        def __init__(self, flags: int) -> None:
            gpu.need_context()
            assert flags & EventFlags.BLOCKING_SYNC, "a waiting thread must not spin"

        def record(self, stream: Stream) -> None:
            self._stream = stream

        def synchronize(self) -> None:
            gpu.need_context()
            gpu.finish(self._stream.handle)

    class DeviceAllocation:
        __slots__ = ("_address",)

        def __init__(self, size: int) -> None:
            gpu.need_context()
            self._address = gpu.address()
            gpu.memory[self._address] = np.full(size, 0xEE, np.uint8)

        def __int__(self) -> int:
            return self._address

        def __del__(self) -> None:
            gpu.memory.pop(self._address, None)

    def pagelocked_empty(size: int, dtype: type) -> NDArray[np.uint8]:
        gpu.need_context()
        array = np.full(size, 0xDD, dtype)
        gpu.pinned.append(array)
        return array[:]

    def memcpy_htod_async(target: int, source: NDArray[np.uint8], stream: Stream) -> None:
        assert gpu.is_pinned(source)

        def copy() -> None:
            gpu.memory[target][: source.size] = source

        gpu.enqueue(stream.handle, "upload", copy)

    def memcpy_dtoh_async(target: NDArray[np.uint8], source: int, stream: Stream) -> None:
        assert gpu.is_pinned(target)

        def copy() -> None:
            target[:] = gpu.memory[source][: target.size]

        gpu.enqueue(stream.handle, "download", copy)

    return module(
        "pycuda.driver",
        Context=Context,
        Device=Device,
        Error=Error,
        Event=Event,
        Stream=Stream,
        event_flags=EventFlags,
        get_driver_version=lambda: 12060,
        init=lambda: None,
        mem_alloc=DeviceAllocation,
        memcpy_dtoh_async=memcpy_dtoh_async,
        memcpy_htod_async=memcpy_htod_async,
        pagelocked_empty=pagelocked_empty,
    )


class Call:
    """A function of a library; ctypes lets its types be set."""

    __slots__ = ("_answer", "argtypes", "restype")

    def __init__(self, answer: Callable[..., int]) -> None:
        self._answer = answer

    def __call__(self, *arguments: object) -> int:
        return self._answer(*arguments)


class DriverLibrary:
    """``libcuda.so.1``."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self.cuInit = Call(lambda flags: gpu.init_status)
        self.cuDeviceGetCount = Call(self._count)
        self.cuStreamBeginCapture_v2 = Call(self._begin)
        self.cuStreamEndCapture = Call(self._end)
        self.cuGraphInstantiateWithFlags = Call(self._instantiate)
        self.cuGraphLaunch = Call(self._launch)
        self.cuGraphExecDestroy = Call(self._destroy)
        self.cuGraphDestroy = Call(lambda graph: 0)

    def _count(self, count: ctypes.c_int) -> int:
        count._obj.value = self._gpu.count  # type: ignore[attr-defined]
        return 0

    def _begin(self, stream: int, mode: int) -> int:
        assert mode == 1, "other threads must be free to use CUDA"
        assert not self._gpu.streams[stream], "work was left on the stream"
        self._gpu.captured[stream] = []
        return 0

    def _end(self, stream: int, graph: ctypes.c_void_p) -> int:
        work = self._gpu.captured.pop(stream)
        if self._gpu.capture_status == 0:
            handle = self._gpu.address()
            self._gpu.graphs[handle] = work
            graph._obj.value = handle  # type: ignore[attr-defined]
        return self._gpu.capture_status

    def _instantiate(self, made: ctypes.c_void_p, graph: ctypes.c_void_p, flags: int) -> int:
        assert flags == 0
        made._obj.value = graph.value  # type: ignore[attr-defined]
        return 0

    def _launch(self, graph: ctypes.c_void_p, stream: int) -> int:
        assert graph.value
        self._gpu.calls.append("launch")
        self._gpu.streams[stream].extend(self._gpu.graphs[graph.value])
        return 0

    def _destroy(self, graph: ctypes.c_void_p) -> int:
        assert graph.value
        del self._gpu.graphs[graph.value]
        return 0


def module(name: str, **content: object) -> ModuleType:
    made = ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None)
    made.__dict__.update(content)
    return made


def install_cuda(patch: pytest.MonkeyPatch, gpu: Gpu) -> None:
    """Put pycuda and the driver's library in place."""
    driver = driver_module(gpu)
    patch.setitem(sys.modules, "pycuda", module("pycuda", driver=driver))
    patch.setitem(sys.modules, "pycuda.driver", driver)
    install_driver_library(patch, gpu)


def install_driver_library(patch: pytest.MonkeyPatch, gpu: Gpu | None) -> None:
    """Put the driver's library in place, or take it away."""

    def load(name: str, *arguments: object) -> object:
        if name != "libcuda.so.1":
            return REAL_CDLL(name, *arguments)  # type: ignore[arg-type]
        if gpu is None:
            raise OSError("libcuda.so.1: cannot open shared object file")
        return DriverLibrary(gpu)

    patch.setattr(ctypes, "CDLL", load)
