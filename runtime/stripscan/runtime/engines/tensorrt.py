"""TensorRT on an NVIDIA GPU.

Buffers, stream and addresses stay the same for the life of the engine, so the work of a shape,
copies included, is recorded as a CUDA graph after its first run and launched as one from then on.
"""

import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np

from stripscan.contract.errors import BundleError, EngineError
from stripscan.contract.graph import IMAGE, MASK, SCORE
from stripscan.runtime.engines.base import Pixels, check_tiles
from stripscan.runtime.engines.cuda import CudaDevice, CudaStream, DeviceMemory
from stripscan.runtime.engines.cuda_graph import CudaGraph, capture
from stripscan.runtime.engines.tensorrt_build import Profile, Shape
from stripscan.runtime.engines.tensorrt_parts import Messages, require_tensorrt, tensorrt_logger

if TYPE_CHECKING:
    import tensorrt as trt

logger = logging.getLogger(__name__)

MAX_GRAPHS: Final = 16
"""Shapes that are kept ready; a station has as many as its batch, and uses few of them."""


class TensorrtEngine:
    """An engine on the GPU.

    Args:
        plan: A serialised engine of this machine's own making: it is run as native code.
        device: The GPU it was built on.
        dla_core: The DLA core it was built for, if any.

    Raises:
        MissingPartError: TensorRT, a driver or a GPU is missing.
        EngineError: The engine does not load here: it is another GPU's or version's.
        BundleError: Its inputs and outputs are not those of the contract.
    """

    def __init__(self, plan: bytes, device: CudaDevice, *, dla_core: int | None = None) -> None:
        require_tensorrt()
        import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

        self._device = device
        self._lock = threading.Lock()
        self._messages = Messages()
        self._log = tensorrt_logger(self._messages)
        self._ready: OrderedDict[Shape, _Ready] = OrderedDict()
        self._version = str(trt.__version__)
        with device.current():
            self._runtime = trt.Runtime(self._log)
            if dla_core is not None:
                self._runtime.DLA_core = dla_core
            engine = self._runtime.deserialize_cuda_engine(plan)
            if engine is None:
                raise EngineError(
                    f"TensorRT {self._version} cannot load the engine on {device.name}: "
                    f"{self._messages}"
                )
            self._engine: trt.ICudaEngine | None = engine
            _check_contract(engine)
            self._profiles = [
                _profile(engine, index) for index in range(engine.num_optimization_profiles)
            ]
            self._buffers = _Buffers(engine, device, self._profiles)

    @property
    def description(self) -> str:
        """Engine, version and GPU."""
        return f"TensorRT {self._version}, {self._device.name}"

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        """Return masks and scores; see ``Engine.infer``.

        More tiles than the engine takes at once are run in parts. May be called from any thread.
        """
        check_tiles(tiles)
        mask, score = np.empty_like(tiles), np.empty_like(tiles)
        with self._lock, self._device.current():
            if self._engine is None:
                raise EngineError("the engine is closed")
            index = self._profile_of(tiles)
            profile = self._profiles[index]
            most = profile.max[0]
            for start in range(0, len(tiles), most):
                part = slice(start, min(start + most, len(tiles)))
                self._run(index, tiles[part], mask[part], score[part])
        return mask, score

    def close(self) -> None:
        """Free what is on the GPU, in the order that CUDA needs; a second call does nothing."""
        with self._lock, self._device.current():
            while self._ready:
                self._ready.popitem()[1].close()
            if self._engine is not None:
                self._engine = None
                del self._runtime, self._buffers

    def _profile_of(self, tiles: Pixels) -> int:
        """Return the first profile that takes tiles of this size."""
        sides = tiles.shape[1:]
        for index, p in enumerate(self._profiles):
            if all(lo <= n <= hi for lo, n, hi in zip(p.min[1:], sides, p.max[1:], strict=True)):
                return index
        sizes = ", ".join(f"{p.min[1:]} to {p.max[1:]}" for p in self._profiles)
        raise EngineError(
            f"tiles of {sides} px: the engine was built for {sizes} px; build one for this size"
        )

    def _run(self, index: int, tiles: Pixels, mask: Pixels, score: Pixels) -> None:
        """Run at most ``max`` tiles; fewer than ``min`` are filled up with older ones."""
        count, height, width = tiles.shape
        shape = (max(count, self._profiles[index].min[0]), height, width)
        buffers, pixels = self._buffers, tiles.size
        np.copyto(buffers.image[:pixels].reshape(tiles.shape), tiles)
        self._ready_for(index, shape).run()
        np.copyto(mask, buffers.mask[:pixels].reshape(tiles.shape))
        np.copyto(score, buffers.score[:pixels].reshape(tiles.shape))

    def _ready_for(self, index: int, shape: Shape) -> "_Ready":
        found = self._ready.get(shape)
        if found is None:
            if len(self._ready) == MAX_GRAPHS:
                self._ready.popitem(last=False)[1].close()
            if self._engine is None:
                raise EngineError("the engine is closed")
            found = _Ready(self._engine, self._buffers, index, shape, self._messages)
            self._ready[shape] = found
        self._ready.move_to_end(shape)
        return found


class _Buffers:
    """Memory for the largest shape, on the host and on the GPU, and the stream of the engine."""

    def __init__(
        self, engine: "trt.ICudaEngine", device: CudaDevice, profiles: list[Profile]
    ) -> None:
        size = max(p.max[0] * p.max[1] * p.max[2] for p in profiles)
        self.stream: CudaStream = device.stream()
        self.image, self.mask, self.score = (device.pinned(size) for _ in range(3))
        self.on_device: dict[str, DeviceMemory] = {
            name: device.memory(size) for name in (IMAGE, MASK, SCORE)
        }
        self.scratch_bytes = engine.device_memory_size_v2
        self.scratch = device.memory(max(self.scratch_bytes, 1))


class _Ready:
    """A shape that is set up: an execution context of its own, and its graph once it ran.

    A graph is good as long as the context it was recorded from is not changed, so each has its
    own; they share their scratch memory, as they run one after the other.
    """

    def __init__(
        self,
        engine: "trt.ICudaEngine",
        buffers: _Buffers,
        profile: int,
        shape: Shape,
        messages: Messages,
    ) -> None:
        import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

        self._buffers, self._shape, self._messages = buffers, shape, messages
        self._pixels = shape[0] * shape[1] * shape[2]
        self._graph: CudaGraph | None = None
        self._is_plain = False
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = engine.create_execution_context(strategy)
        if context is None:
            raise EngineError(f"TensorRT makes no execution context: {messages}")
        self._context: trt.IExecutionContext = context
        handle = buffers.stream.handle
        self._check(context.set_optimization_profile_async(profile, handle), "take the profile")
        buffers.stream.wait()
        self._check(context.set_input_shape(IMAGE, shape), "take the shape")
        context.set_device_memory(buffers.scratch.address, buffers.scratch_bytes)
        for name, memory in buffers.on_device.items():
            self._check(context.set_tensor_address(name, memory.address), f"take {name}")
        try:
            unknown = context.infer_shapes()
        except RuntimeError as error:
            raise EngineError(f"TensorRT cannot infer shapes for {shape}: {error}") from error
        self._check(not unknown, f"infer the shapes of {', '.join(unknown)}")

    def run(self) -> None:
        """Run what is in the buffers, and wait for it."""
        stream = self._buffers.stream
        if self._graph:
            self._graph.launch(stream.handle)
            stream.wait()
            return
        self._enqueue()
        stream.wait()
        if not self._is_plain:
            self._record()

    def close(self) -> None:
        """Free the graph, then the context it was recorded from."""
        if self._graph:
            self._graph.close()
        del self._context

    def _record(self) -> None:
        try:
            self._graph = capture(self._buffers.stream.handle, self._enqueue)
        except EngineError as error:  # slower, and right all the same
            self._is_plain = True
            logger.warning("no CUDA graph for %s: %s", self._shape, error)

    def _enqueue(self) -> None:
        buffers, stream = self._buffers, self._buffers.stream
        stream.upload(buffers.on_device[IMAGE], buffers.image[: self._pixels])
        self._check(self._context.execute_async_v3(stream.handle), "run")
        stream.download(buffers.mask[: self._pixels], buffers.on_device[MASK])
        stream.download(buffers.score[: self._pixels], buffers.on_device[SCORE])

    def _check(self, done: bool, what: str) -> None:
        if not done:
            raise EngineError(f"TensorRT did not {what} for {self._shape}: {self._messages}")


def _profile(engine: "trt.ICudaEngine", index: int) -> Profile:
    low, mid, high = engine.get_tensor_profile_shape(IMAGE, index)
    return Profile(
        min=(low[0], low[1], low[2]), opt=(mid[0], mid[1], mid[2]), max=(high[0], high[1], high[2])
    )


def _check_contract(engine: "trt.ICudaEngine") -> None:
    import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    found = {n: (engine.get_tensor_mode(n).name, engine.get_tensor_dtype(n).name) for n in names}
    uint8 = trt.DataType.UINT8.name
    wanted = {
        IMAGE: (trt.TensorIOMode.INPUT.name, uint8),
        MASK: (trt.TensorIOMode.OUTPUT.name, uint8),
        SCORE: (trt.TensorIOMode.OUTPUT.name, uint8),
    }
    if found != wanted:
        raise BundleError(
            f"the engine's inputs and outputs are {found}, stripscan needs {wanted}: "
            "build it from a model of 'stripscan export'"
        )
