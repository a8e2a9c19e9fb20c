"""Builds TensorRT engines, with calls that both TensorRT 10 and 11 have.

The precision of every layer is that of the ONNX graph (a strongly typed network); the builder
chooses kernels only.
"""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stripscan.contract.errors import (
    ConfigError,
    EngineError,
    MissingPartError,
    StoreError,
)
from stripscan.contract.files import write_file
from stripscan.contract.graph import IMAGE, SIZE_MULTIPLE_PX
from stripscan.runtime.engines.tensorrt_parts import Messages, require_tensorrt, tensorrt_logger

if TYPE_CHECKING:
    import tensorrt as trt

logger = logging.getLogger(__name__)

_MIB = 1024**2
Shape = tuple[int, int, int]
"""Number of tiles, height and width in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A range of input shapes; kernels are chosen for ``opt``.

    Attributes:
        min: Smallest shape.
        opt: The shape that should be fast.
        max: Largest shape; memory is set aside for it.
    """

    min: Shape
    opt: Shape
    max: Shape

    def __post_init__(self) -> None:
        for low, mid, high in zip(self.min, self.opt, self.max, strict=True):
            if not 1 <= low <= mid <= high:
                raise ConfigError(
                    f"profile {self.min} {self.opt} {self.max}: the number and the sides of the "
                    "tiles must be at least 1 and grow from min over opt to max"
                )
        sides = {side for shape in (self.min, self.opt, self.max) for side in shape[1:]}
        if odd := [side for side in sides if side % SIZE_MULTIPLE_PX]:
            raise ConfigError(
                f"a tile of {odd[0]} px: its sides must be multiples of {SIZE_MULTIPLE_PX} px"
            )

    @property
    def is_fixed(self) -> bool:
        """Whether it holds one shape only."""
        return self.min == self.max


def tile_profile(*, batch: int, tile_px: int) -> Profile:
    """Return the profile of a station: fast at its batch and tile, and able to do with less.

    Single images, and the golden frames of a bundle, come one at a time and may be smaller.

    Args:
        batch: Most tiles in one call.
        tile_px: Side of a square tile in pixels.
    """
    return Profile(
        min=(1, SIZE_MULTIPLE_PX, SIZE_MULTIPLE_PX),
        opt=(batch, tile_px, tile_px),
        max=(batch, tile_px, tile_px),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """What an engine is built for.

    Attributes:
        profiles: Ranges of input shapes, at least one.
        workspace_mib: Most scratch memory on the GPU for one layer, in MiB.
        optimisation_level: 0 builds fastest, 5 searches longest; 3 is TensorRT's own choice.
        hardware: GPUs the engine shall run on: this model alone, or Ampere and newer, which is
            slower.
        version_compatible: Whether later versions of TensorRT shall load it. The lean runtime,
            which is native code, is left out of the file, so they need it installed.
        dla_core: Core of a Jetson's DLA to run on, with the GPU for the layers it cannot do; None
            for the GPU alone. A DLA takes one shape, so ``min`` and ``max`` must be equal.
    """

    profiles: tuple[Profile, ...]
    workspace_mib: int = 1024
    optimisation_level: int = 3
    hardware: Literal["this", "ampere+"] = "this"
    version_compatible: bool = False
    dla_core: int | None = None

    def __post_init__(self) -> None:
        if not self.profiles:
            raise ConfigError("an engine needs at least one profile of input shapes")
        if not 0 <= self.optimisation_level <= 5:
            raise ConfigError(f"optimisation level {self.optimisation_level}: must be 0 to 5")
        if self.workspace_mib < 16:
            raise ConfigError(f"workspace of {self.workspace_mib} MiB: must be at least 16 MiB")
        if self.dla_core is not None and not all(p.is_fixed for p in self.profiles):
            raise ConfigError("a DLA takes one shape: make min, opt and max of the profile equal")

    @property
    def text(self) -> str:
        """All options as text; equal for equal options, to name a cached engine by."""
        return json.dumps(asdict(self), sort_keys=True)


def build_engine(model: bytes, options: BuildOptions, *, timing_cache: Path | None = None) -> bytes:
    """Build an engine on this machine, for this machine; takes seconds to many minutes.

    Args:
        model: An ONNX file, strongly typed, external data excluded.
        options: What it is built for.
        timing_cache: File of kernel timings, which makes the next build of a like model faster;
            read where it is there and fits, and written.

    Raises:
        MissingPartError: TensorRT, a driver, a GPU or the DLA is missing.
        EngineError: TensorRT does not take the model, or found no kernels for it.
    """
    require_tensorrt()
    import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

    messages = Messages()
    log = tensorrt_logger(messages)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model):
        raise EngineError(f"TensorRT {trt.__version__} cannot read the model: {_errors_of(parser)}")
    config = builder.create_builder_config()
    _set_options(builder, config, options)
    _add_profiles(builder, config, options.profiles)
    if timing_cache:
        _load_timings(config, timing_cache)
    logger.info("building engine", extra={"tensorrt": trt.__version__, "options": options.text})
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(
            f"TensorRT {trt.__version__} cannot build an engine: {messages}. Where it speaks of "
            "memory, lower the batch or the workspace"
        )
    if timing_cache:
        _save_timings(config, timing_cache)
    return bytes(plan)


def inspect_engine(plan: bytes) -> str:
    """Return the layers of an engine as JSON: kernels, formats and types that were chosen.

    Raises:
        MissingPartError: TensorRT, a driver or a GPU is missing.
        EngineError: The engine cannot be loaded on this machine.
    """
    require_tensorrt()
    import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

    messages = Messages()
    runtime = trt.Runtime(tensorrt_logger(messages))
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineError(f"TensorRT {trt.__version__} cannot load the engine: {messages}")
    inspector = engine.create_engine_inspector()
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def _errors_of(parser: "trt.OnnxParser") -> str:
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    texts = [
        f"node {error.node_name() or error.node()} ({error.node_operator()}): {error.desc()}"
        for error in errors
    ]
    return "; ".join(texts) or "it gave no reason"


def _set_options(
    builder: "trt.Builder", config: "trt.IBuilderConfig", options: BuildOptions
) -> None:
    import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB)
    config.builder_optimization_level = options.optimisation_level
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # for inspect_engine
    if options.hardware == "ampere+":
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
        config.set_flag(trt.BuilderFlag.EXCLUDE_LEAN_RUNTIME)
    if options.dla_core is not None:
        if options.dla_core >= builder.num_DLA_cores:
            raise MissingPartError(
                f"DLA core {options.dla_core} is not there: TensorRT {trt.__version__} sees "
                f"{builder.num_DLA_cores} on this machine. Jetson Orin has DLA with TensorRT up "
                "to 10.7 and from 11.4.1; elsewhere build for the GPU"
            )
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = options.dla_core
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)


def _add_profiles(
    builder: "trt.Builder", config: "trt.IBuilderConfig", profiles: tuple[Profile, ...]
) -> None:
    import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

    for profile in profiles:
        shapes = builder.create_optimization_profile()
        shapes.set_shape(
            IMAGE, *(trt.Dims(list(shape)) for shape in (profile.min, profile.opt, profile.max))
        )
        if config.add_optimization_profile(shapes) < 0:
            raise EngineError(f"TensorRT does not take the profile {profile}")


def _load_timings(config: "trt.IBuilderConfig", path: Path) -> None:
    """Use the timings of a file, or none where they are another GPU's or damaged."""
    try:
        known = path.read_bytes()
    except FileNotFoundError:
        known = b""
    for data in (known, b""):
        cache = config.create_timing_cache(data)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return
        logger.warning("timing cache does not fit and is made anew", extra={"file": str(path)})
    raise EngineError("TensorRT makes no timing cache")


def _save_timings(config: "trt.IBuilderConfig", path: Path) -> None:
    try:
        write_file(path, bytes(config.get_timing_cache().serialize()))
    except StoreError as error:  # the engine is there, after minutes of work
        logger.warning("timing cache is not kept: %s", error)
