"""The calls that we make of TensorRT, in versions 10 and 11, and no others.

A name that is not here is an AttributeError, read or set, and so is one that version 11 removed.
What is here is held against NVIDIA's bindings in tests/architecture/test_tensorrt_api.py.
"""

import json
import sys
from dataclasses import dataclass, field
from enum import IntEnum
from types import ModuleType

import numpy as np
import pytest

from unit.runtime.fake_cuda import Gpu, install_cuda, module

Shape = tuple[int, int, int]


@dataclass
class Installation:
    """TensorRT on a machine: what a test makes it do, and what it was asked.

    Attributes:
        gpu: The GPU.
        parse_errors: Node, operator and description of what the parser does not take.
        build_fails: What the builder logs before it gives up.
        load_fails: What the runtime logs before it gives up.
        dla_cores: DLA cores that the builder sees.
        refused: Names of calls that answer False.
        unknown_shapes: What ``infer_shapes`` answers.
        timings_fit: Whether a timing cache with content is taken.
        io: Names and types of the tensors of an engine.
        config: The configuration of the last build.
        contexts: How many execution contexts were made.
    """

    version: str = "11.4.0.106"
    gpu: Gpu = field(default_factory=Gpu)
    parse_errors: tuple[tuple[str, str, str], ...] = ()
    build_fails: str = ""
    load_fails: str = ""
    dla_cores: int = 0
    refused: set[str] = field(default_factory=set)
    unknown_shapes: tuple[str, ...] = ()
    timings_fit: bool = True
    io: dict[str, str] = field(
        default_factory=lambda: {"image": "UINT8", "mask": "UINT8", "score": "UINT8"}
    )
    config: "IBuilderConfig | None" = None
    builds: int = 0
    contexts: int = 0
    network_flags: int = 0
    dla_core: int | None = None

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


class Severity(IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


class ILogger:
    Severity = Severity

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class DataType(IntEnum):
    FLOAT = 0
    UINT8 = 5


class TensorIOMode(IntEnum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class MemoryPoolType(IntEnum):
    WORKSPACE = 0


class ProfilingVerbosity(IntEnum):
    DETAILED = 2


class LayerInformationFormat(IntEnum):
    JSON = 1


class DeviceType(IntEnum):
    GPU = 0
    DLA = 1


class HardwareCompatibilityLevel(IntEnum):
    NONE = 0
    AMPERE_PLUS = 1


class ExecutionContextAllocationStrategy(IntEnum):
    USER_MANAGED = 2


class BuilderFlag10(IntEnum):
    FP16 = 0
    INT8 = 1
    GPU_FALLBACK = 3
    VERSION_COMPATIBLE = 13
    EXCLUDE_LEAN_RUNTIME = 14


class BuilderFlag11(IntEnum):
    GPU_FALLBACK = 3
    VERSION_COMPATIBLE = 13
    EXCLUDE_LEAN_RUNTIME = 14


class NetworkFlag10(IntEnum):
    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1


class NetworkFlag11(IntEnum):
    STRONGLY_TYPED = 1


class Dims(tuple[int, ...]):
    __slots__ = ()


class IHostMemory:
    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __bytes__(self) -> bytes:
        return self._data


class INetworkDefinition:
    __slots__ = ()


class IOptimizationProfile:
    __slots__ = ("_shapes",)

    def set_shape(self, input: str, min: Dims, opt: Dims, max: Dims) -> None:
        assert input == "image"
        self._shapes = [list(min), list(opt), list(max)]


class ITimingCache:
    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def serialize(self) -> IHostMemory:
        return IHostMemory(self._data + b"+timed")


class IBuilderConfig:
    __slots__ = (
        "DLA_core",
        "_cache",
        "_flags",
        "_limits",
        "_machine",
        "_profiles",
        "builder_optimization_level",
        "default_device_type",
        "hardware_compatibility_level",
        "profiling_verbosity",
    )

    def __init__(self, machine: Installation) -> None:
        self._machine = machine
        self._flags: set[str] = set()
        self._limits: dict[str, int] = {}
        self._profiles: list[IOptimizationProfile] = []
        self._cache: ITimingCache | None = None

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self._limits[pool.name] = pool_size

    def set_flag(self, flag: IntEnum) -> None:
        self._flags.add(flag.name)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        if "add_optimization_profile" in self._machine.refused:
            return -1
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch, "timings of another GPU choose slow kernels"
        if cache._data and not self._machine.timings_fit:
            return False
        self._cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache:
        assert self._cache is not None
        return self._cache


class ParserError:
    __slots__ = ("_desc", "_node", "_operator")

    def __init__(self, node: str, operator: str, desc: str) -> None:
        self._node, self._operator, self._desc = node, operator, desc

    def node(self) -> int:
        return 7

    def node_name(self) -> str:
        return self._node

    def node_operator(self) -> str:
        return self._operator

    def desc(self) -> str:
        return self._desc


class EngineInspector:
    __slots__ = ()

    def get_engine_information(self, format: LayerInformationFormat) -> str:
        return json.dumps({"Layers": ["fake"], "format": format.name})


class IExecutionContext:
    __slots__ = ("_addresses", "_machine", "_memory", "_profile", "_profiles", "_shape")

    def __init__(self, machine: Installation, profiles: list[list[list[int]]]) -> None:
        self._machine, self._profiles = machine, profiles
        self._addresses: dict[str, int] = {}
        self._memory = 0
        self._profile: int | None = None
        machine.contexts += 1

    def _answers(self, call: str) -> bool:
        return call not in self._machine.refused

    def set_device_memory(self, memory: int, size: int) -> None:
        assert self._machine.gpu.memory[memory].size >= size
        self._memory = memory

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        self._profile = profile_index
        return self._answers("set_optimization_profile_async")

    def set_input_shape(self, name: str, shape: Shape) -> bool:
        assert name == "image"
        assert self._profile is not None
        low, _, high = self._profiles[self._profile]
        self._shape = shape
        fits = all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True))
        return fits and self._answers("set_input_shape")

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return self._answers("set_tensor_address")

    def infer_shapes(self) -> list[str]:
        if "infer_shapes" in self._machine.refused:
            raise RuntimeError("shapes do not fit")
        return list(self._machine.unknown_shapes)

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Give every pixel below 40 the class 2, with a score of 200."""
        assert self._memory, "scratch memory was not given"
        gpu, size = self._machine.gpu, int(np.prod(self._shape))

        def work() -> None:
            dark = gpu.memory[self._addresses["image"]][:size] < 40
            gpu.memory[self._addresses["mask"]][:size] = dark * 2
            gpu.memory[self._addresses["score"]][:size] = dark * 200

        gpu.enqueue(stream_handle, "execute", work)
        return self._answers("execute_async_v3")


class ICudaEngine:
    __slots__ = ("_machine", "_names", "_profiles", "device_memory_size_v2")

    def __init__(self, machine: Installation, profiles: list[list[list[int]]]) -> None:
        self._machine, self._profiles = machine, profiles
        self._names = list(machine.io)
        self.device_memory_size_v2 = 4096

    @property
    def num_io_tensors(self) -> int:
        return len(self._names)

    @property
    def num_optimization_profiles(self) -> int:
        return len(self._profiles)

    def get_tensor_name(self, index: int) -> str:
        return self._names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name == "image" else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType[self._machine.io[name]]

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        assert name == "image"
        return [Dims(shape) for shape in self._profiles[profile_index]]

    def create_execution_context(
        self, strategy: ExecutionContextAllocationStrategy
    ) -> IExecutionContext | None:
        assert strategy is ExecutionContextAllocationStrategy.USER_MANAGED
        if "create_execution_context" in self._machine.refused:
            return None
        return IExecutionContext(self._machine, self._profiles)

    def create_engine_inspector(self) -> EngineInspector:
        return EngineInspector()


def tensorrt_module(machine: Installation) -> ModuleType:
    """Return ``tensorrt`` in the version of the installation."""

    class OnnxParser:
        __slots__ = ()

        def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
            assert machine.network_flags == 1 << NetworkFlag11.STRONGLY_TYPED

        def parse(self, model: bytes) -> bool:
            return bool(model) and not machine.parse_errors

        @property
        def num_errors(self) -> int:
            return len(machine.parse_errors)

        def get_error(self, index: int) -> ParserError:
            return ParserError(*machine.parse_errors[index])

    class Builder:
        __slots__ = ("_log", "num_DLA_cores")

        def __init__(self, logger: ILogger) -> None:
            self._log = logger
            self.num_DLA_cores = machine.dla_cores

        def create_network(self, flags: int = 0) -> INetworkDefinition:
            machine.network_flags = flags
            return INetworkDefinition()

        def create_builder_config(self) -> IBuilderConfig:
            machine.config = IBuilderConfig(machine)
            return machine.config

        def create_optimization_profile(self) -> IOptimizationProfile:
            return IOptimizationProfile()

        def build_serialized_network(
            self, network: INetworkDefinition, config: IBuilderConfig
        ) -> IHostMemory | None:
            machine.builds += 1
            if machine.build_fails:
                self._log.log(Severity.INFO, "trying tactics")
                self._log.log(Severity.ERROR, machine.build_fails)
                return None
            plan = {"of": machine.gpu.name, "profiles": [p._shapes for p in config._profiles]}
            return IHostMemory(json.dumps(plan).encode())

    class Runtime:
        __slots__ = ("_log",)

        def __init__(self, logger: ILogger) -> None:
            assert machine.gpu.count, "segmentation fault"
            self._log = logger

        @property
        def DLA_core(self) -> int:  # noqa: N802
            return -1

        @DLA_core.setter
        def DLA_core(self, core: int) -> None:  # noqa: N802
            machine.dla_core = core

        def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
            if machine.load_fails:
                self._log.log(Severity.ERROR, machine.load_fails)
                return None
            plan = json.loads(serialized_engine)
            assert plan["of"] == machine.gpu.name, "an engine of another GPU was tried"
            return ICudaEngine(machine, plan["profiles"])

    is_10 = machine.major == 10
    return module(
        "tensorrt",
        __version__=machine.version,
        Builder=Builder,
        BuilderFlag=BuilderFlag10 if is_10 else BuilderFlag11,
        DataType=DataType,
        DeviceType=DeviceType,
        Dims=Dims,
        ExecutionContextAllocationStrategy=ExecutionContextAllocationStrategy,
        HardwareCompatibilityLevel=HardwareCompatibilityLevel,
        IBuilderConfig=IBuilderConfig,
        ICudaEngine=ICudaEngine,
        IExecutionContext=IExecutionContext,
        IHostMemory=IHostMemory,
        ILogger=ILogger,
        INetworkDefinition=INetworkDefinition,
        IOptimizationProfile=IOptimizationProfile,
        ITimingCache=ITimingCache,
        EngineInspector=EngineInspector,
        LayerInformationFormat=LayerInformationFormat,
        MemoryPoolType=MemoryPoolType,
        NetworkDefinitionCreationFlag=NetworkFlag10 if is_10 else NetworkFlag11,
        OnnxParser=OnnxParser,
        ParserError=ParserError,
        ProfilingVerbosity=ProfilingVerbosity,
        Runtime=Runtime,
        TensorIOMode=TensorIOMode,
    )


def install(patch: pytest.MonkeyPatch, machine: Installation) -> Installation:
    """Put TensorRT, pycuda and the driver in place."""
    install_cuda(patch, machine.gpu)
    patch.setitem(sys.modules, "tensorrt", tensorrt_module(machine))
    return machine
