"""Which engine runs a bundle, and which of the bundle's variants it takes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError, ConfigError
from stripscan.contract.manifest import Variant
from stripscan.runtime.engines.base import Engine, EngineName, Precision
from stripscan.runtime.engines.onnxruntime import OnnxEngine
from stripscan.runtime.engines.onnxruntime_gpu import OnnxGpuEngine
from stripscan.runtime.engines.openvino import OpenvinoEngine
from stripscan.runtime.engines.tensorrt_open import open_tensorrt
from stripscan.runtime.engines.triton import TritonEngine
from stripscan.runtime.engines.triton_wire import TritonServer

logger = logging.getLogger(__name__)

_CPU: Final = (("onnx", "any"), ("onnx", "cpu"))
_GPU: Final = (("onnx", "any"), ("onnx", "gpu"))

_FORMS: Final[Mapping[EngineName, tuple[tuple[str, str], ...]]] = {
    "onnx": _CPU,
    "onnx-cuda": _GPU,
    "onnx-tensorrt": _GPU,
    "openvino": (("openvino", "any"), *_CPU),
    "tensorrt": _GPU,
    "triton": _GPU,
}
"""Formats, and devices they are made for, that an engine runs, the best first."""

_EXACT_FIRST: Final[tuple[Precision, ...]] = ("fp32", "fp16", "int8")
_HALF_FIRST: Final[tuple[Precision, ...]] = ("fp16", "fp32", "int8")
_ON_CPU: Final = {"onnx", "openvino"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """What is to run a model.

    Attributes:
        engine: Name of the engine.
        precision: Of the variant. If None, fp32 on a CPU, which computes in it anyway, and fp16 on
            a GPU, where the bundle has it.
        threads: CPU threads; 0 takes one a core.
        batch: Most tiles in a call.
        tile_px: Side of a tile in px; the bundle's own if None.
        server: Where Triton is.
    """

    engine: EngineName = "onnx"
    precision: Precision | None = None
    threads: int = 0
    batch: int = 16
    tile_px: int | None = None
    server: TritonServer | None = None


def engine_choice(engine: str | None, precision: str | None) -> EngineChoice:
    """Return the choice that words on the command line make.

    Raises:
        ConfigError: There is no such engine or precision, or the engine needs a station file.
    """
    engine = engine or "onnx"
    engines: tuple[EngineName, ...] = tuple(e for e in get_args(EngineName) if e != "triton")
    precisions: tuple[Precision, ...] = get_args(Precision)
    if engine == "triton":
        raise ConfigError("--engine triton: where the server is stands in a station file only")
    if engine not in engines:
        raise ConfigError(f"--engine {engine}: unknown; choose from {', '.join(engines)}")
    if precision is not None and precision not in precisions:
        raise ConfigError(f"--precision {precision}: unknown; choose from {', '.join(precisions)}")
    return EngineChoice(
        engine=next(e for e in engines if e == engine),
        precision=next((p for p in precisions if p == precision), None),
    )


def choose_variant(bundle: Bundle, choice: EngineChoice) -> Variant:
    """Return the variant that an engine takes.

    Raises:
        BundleError: The bundle has none of that precision for it.
    """
    usual = _EXACT_FIRST if choice.engine in _ON_CPU else _HALF_FIRST
    for precision in (choice.precision,) if choice.precision else usual:
        for form in _FORMS[choice.engine]:
            for variant in bundle.manifest.variants:
                if (variant.engine, variant.runs_on) == form and variant.precision == precision:
                    return variant
    has = ", ".join(f"{v.engine} {v.precision} ({v.runs_on})" for v in bundle.manifest.variants)
    raise BundleError(
        f"{bundle.path}: has no {choice.precision or 'file'} for the engine {choice.engine}, but "
        f"{has}: choose another precision, or export with --precision"
    )


def open_engine(bundle: Bundle, choice: EngineChoice | None = None) -> Engine:
    """Return an engine that runs a bundle; close it when done.

    Args:
        bundle: An open bundle.
        choice: ONNX Runtime on the CPU if None.

    Raises:
        BundleError: The bundle has no file for it, or the file is damaged.
        MissingPartError: A package, driver or device is missing.
        EngineError: It cannot start, or would not run where it was asked to.
    """
    choice = choice or EngineChoice()
    variant = choose_variant(bundle, choice)
    logger.info("loading model", extra={"file": variant.file, "engine": choice.engine})
    tile_px = choice.tile_px or bundle.manifest.input.tile_px
    match choice.engine:
        case "onnx":
            return OnnxEngine(bundle.read(variant.file), threads=choice.threads)
        case "onnx-cuda":
            return OnnxGpuEngine(
                bundle.read(variant.file), provider="cuda", batch=choice.batch, tile_px=tile_px
            )
        case "onnx-tensorrt":
            return OnnxGpuEngine(
                bundle.read(variant.file), provider="tensorrt", batch=choice.batch, tile_px=tile_px
            )
        case "openvino":
            weights = bundle.read(variant.weights) if variant.weights else None
            return OpenvinoEngine(bundle.read(variant.file), weights, threads=choice.threads)
        case "tensorrt":
            return open_tensorrt(bundle, variant, batch=choice.batch, tile_px=tile_px)
        case "triton":
            if choice.server is None:
                raise ConfigError("the engine triton needs the address of a server")
            return TritonEngine(bundle, variant, choice.server)
