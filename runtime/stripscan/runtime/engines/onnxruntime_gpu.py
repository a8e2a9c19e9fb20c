"""ONNX Runtime on an NVIDIA GPU, by its CUDA or its TensorRT provider, and on nothing else.

Left to itself, ONNX Runtime warns and goes on with the CPU where a provider does not start, or
has no kernel for a node. Here both are errors.
"""

import contextlib
import hashlib
import io
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import onnxruntime

from stripscan.contract.errors import EngineError, MissingPartError
from stripscan.contract.graph import IMAGE, MASK, SCORE
from stripscan.runtime.engines.base import Pixels, check_tiles
from stripscan.runtime.engines.cuda import CudaDevice
from stripscan.runtime.engines.engine_cache import EngineCache, EngineKey, cache_folder
from stripscan.runtime.engines.onnxruntime import check_contract
from stripscan.runtime.engines.tensorrt_build import Shape, tile_profile
from stripscan.runtime.engines.tensorrt_parts import require_tensorrt

logger = logging.getLogger(__name__)

Provider = Literal["cuda", "tensorrt"]

MAX_SHAPES: Final = 16
"""Shapes whose buffers are kept and whose work is recorded as a CUDA graph."""

_NAMES: Final = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_NO_GRAPH: Final = "-1"


class OnnxGpuEngine:
    """A session that runs on a GPU as a whole.

    Args:
        model: Bytes of an ONNX file.
        provider: ``cuda``, or ``tensorrt``, which builds an engine on the first start.
        batch: Most tiles in one call, for TensorRT.
        tile_px: Side of a tile in pixels, for TensorRT; smaller tiles are taken as well.

    Raises:
        MissingPartError: This ONNX Runtime has no such provider, or TensorRT, pycuda, a driver or
            a GPU is missing for ``tensorrt``.
        EngineError: The provider does not start, or cannot run all of the model.
        BundleError: The graph's inputs or outputs are not those of the contract.
        ConfigError: Others may write to the cache of engines.
        StoreError: The folder of that cache cannot be made.
    """

    def __init__(
        self, model: bytes, *, provider: Provider, batch: int = 16, tile_px: int = 256
    ) -> None:
        _require_provider(provider)
        self._provider = provider
        given = (
            _tensorrt_options(model, batch=batch, tile_px=tile_px)
            if provider == "tensorrt"
            else _CUDA_OPTIONS
        )
        self._session = _open(model, provider, given)
        check_contract(self._session)
        self._kept: dict[Shape, _Bound] = {}

    @property
    def description(self) -> str:
        """Engine, version and provider."""
        name = {"cuda": "CUDA", "tensorrt": "TensorRT"}[self._provider]
        return f"ONNX Runtime {onnxruntime.__version__}, {name}"

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        """Return masks and scores; see ``Engine.infer``."""
        check_tiles(tiles)
        try:
            bound = self._bound(tiles.shape)
            bound.image.update_inplace(np.ascontiguousarray(tiles))
            self._session.run_with_iobinding(bound.binding, bound.options)
            mask, score = bound.mask.numpy(), bound.score.numpy()
        except Exception as error:  # onnxruntime raises a class of its own for each status
            raise EngineError(f"ONNX Runtime failed on tiles of {tiles.shape}: {error}") from error
        return np.asarray(mask, np.uint8), np.asarray(score, np.uint8)

    def close(self) -> None:
        """Free the buffers and recorded graphs; the session goes with the engine."""
        self._kept.clear()

    def _bound(self, shape: Shape) -> "_Bound":
        """Return buffers of a shape: a graph is tied to addresses, so they stay where they are."""
        bound = self._kept.get(shape)
        if bound is None:
            keep = len(self._kept) < MAX_SHAPES
            recorded = keep and self._provider == "cuda"
            graph = str(len(self._kept) + 1) if recorded else _NO_GRAPH
            bound = _bind(self._session, shape, graph)
            if keep:
                self._kept[shape] = bound
        return bound


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """Device buffers of one shape, bound to a session."""

    binding: Any
    options: Any
    image: Any
    mask: Any
    score: Any


def _bind(session: onnxruntime.InferenceSession, shape: Shape, graph: str) -> _Bound:
    image, mask, score = (
        onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), np.uint8, "cuda", 0)
        for _ in range(3)
    )
    binding = session.io_binding()
    binding.bind_ortvalue_input(IMAGE, image)
    binding.bind_ortvalue_output(MASK, mask)
    binding.bind_ortvalue_output(SCORE, score)
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", graph)
    return _Bound(binding=binding, options=options, image=image, mask=mask, score=score)


_CUDA_OPTIONS: Final[Mapping[str, str]] = {
    "device_id": "0",
    "enable_cuda_graph": "1",
    "use_tf32": "0",  # precision is that of the file
    "cudnn_conv_algo_search": "HEURISTIC",  # by the clock, each start would choose others
}


def _tensorrt_options(model: bytes, *, batch: int, tile_px: int) -> dict[str, str]:
    """Return options with a cache of its own for all that an engine depends on."""
    require_tensorrt()
    import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

    device = CudaDevice()
    profile = tile_profile(batch=batch, tile_px=tile_px)
    shapes = {
        f"trt_profile_{name}_shapes": f"{IMAGE}:{'x'.join(map(str, shape))}"
        for name, shape in (("min", profile.min), ("opt", profile.opt), ("max", profile.max))
    }
    key = EngineKey(
        model_sha256=hashlib.sha256(model).hexdigest(),
        gpu=device.name,
        compute_capability=device.compute_capability,
        driver=device.driver,
        tensorrt=str(trt.__version__),
        options=f"ONNX Runtime {onnxruntime.__version__} {shapes}",
    )
    folder = EngineCache(cache_folder()).folder / f"onnxruntime-{key.name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    logger.info("engines of ONNX Runtime", extra={"folder": str(folder)})
    return {
        "device_id": "0",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": os.fspath(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": os.fspath(folder),
        **shapes,
    }


def _require_provider(provider: Provider) -> None:
    if _NAMES[provider] not in onnxruntime.get_available_providers():
        raise MissingPartError(
            f"ONNX Runtime {onnxruntime.__version__} is a build without {provider}: "
            "'pip uninstall --yes onnxruntime onnxruntime-gpu', then 'pip install "
            "onnxruntime-gpu[cuda,cudnn]'; or choose an engine that runs on the CPU"
        )


def _open(
    model: bytes, provider: Provider, given: Mapping[str, str]
) -> onnxruntime.InferenceSession:
    if hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()) as said:  # it prints what it does not find
            onnxruntime.preload_dlls()
        logger.debug("libraries: %s", said.getvalue())
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = onnxruntime.InferenceSession(
            model, options, providers=[(_NAMES[provider], dict(given))], enable_fallback=0
        )
    except Exception as error:  # onnxruntime raises a class of its own for each status
        raise _not_started(provider, str(error)) from error
    session.disable_fallback()
    if session.get_providers()[0] != _NAMES[provider]:
        raise _not_started(provider, f"it uses {', '.join(session.get_providers())}")
    return session


def _not_started(provider: Provider, reason: str) -> EngineError:
    return EngineError(
        f"ONNX Runtime {onnxruntime.__version__} cannot run the model on {provider}, and would "
        f"have gone on with the CPU ({reason}): it needs an NVIDIA driver ('nvidia-smi' shows the "
        f"GPU), the CUDA {onnxruntime.cuda_version or 'libraries'} and cuDNN 9 that it was built "
        "for ('pip install onnxruntime-gpu[cuda,cudnn]')"
        + (", and TensorRT 10" if provider == "tensorrt" else "")
    )
