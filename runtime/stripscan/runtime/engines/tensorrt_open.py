"""From a model in a bundle to an engine that runs: look, build where need be, load."""

import hashlib
import logging

from stripscan.contract.bundle import Bundle
from stripscan.contract.manifest import VariantDraft
from stripscan.runtime.engines.cuda import CudaDevice
from stripscan.runtime.engines.engine_cache import EngineCache, EngineKey, cache_folder
from stripscan.runtime.engines.tensorrt import TensorrtEngine
from stripscan.runtime.engines.tensorrt_build import BuildOptions, build_engine, tile_profile
from stripscan.runtime.engines.tensorrt_parts import require_tensorrt

logger = logging.getLogger(__name__)


def open_tensorrt(
    bundle: Bundle,
    variant: VariantDraft,
    *,
    batch: int,
    tile_px: int,
    options: BuildOptions | None = None,
) -> TensorrtEngine:
    """Return the engine of an ONNX variant, built on the first start and kept for the next.

    Args:
        bundle: An open bundle.
        variant: The variant; its file is ONNX.
        batch: Most tiles in one call.
        tile_px: Side of a tile in pixels; smaller tiles are taken, larger ones are not.
        options: What to build for, in place of ``batch`` and ``tile_px``.

    Raises:
        MissingPartError: TensorRT, a driver or a GPU is missing.
        EngineError: The engine cannot be built, or does not load.
        BundleError: The file is damaged.
        ConfigError: The cache may be written to by others.
        StoreError: The folder of the cache cannot be made.
    """
    require_tensorrt()
    import tensorrt as trt  # noqa: PLC0415 - the extra 'gpu' is optional

    model = bundle.read(variant.file)
    options = options or BuildOptions(profiles=(tile_profile(batch=batch, tile_px=tile_px),))
    device = CudaDevice()
    cache = EngineCache(cache_folder())
    key = EngineKey(
        model_sha256=hashlib.sha256(model).hexdigest(),
        gpu=device.name,
        compute_capability=device.compute_capability,
        driver=device.driver,
        tensorrt=str(trt.__version__),
        options=options.text,
    )

    def build() -> bytes:
        logger.info(
            "building an engine for this GPU; this takes minutes, once",
            extra={"file": variant.file, "gpu": device.name, "cache": str(cache.folder)},
        )
        with device.current():
            return build_engine(model, options, timing_cache=cache.folder / "timings.cache")

    return TensorrtEngine(cache.engine(key, build), device, dla_core=options.dla_core)
