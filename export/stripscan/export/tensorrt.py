"""``--to trt``: engines for the machine that exports, as files for other programs.

``stripscan run`` needs none of them: it builds its own from the bundle.
"""

from collections.abc import Mapping
from pathlib import Path

from stripscan.contract.files import write_file
from stripscan.runtime.engines.tensorrt_build import BuildOptions, build_engine, inspect_engine
from stripscan.runtime.engines.tensorrt_parts import require_tensorrt


def write_engines(
    models: Mapping[str, bytes],
    folder: Path,
    options: BuildOptions,
    *,
    timing_cache: Path | None = None,
) -> tuple[Path, ...]:
    """Build an engine of each model and write it, with its layers as JSON beside it.

    Args:
        models: ONNX files by the name that the engine gets, without a suffix.
        folder: Where ``NAME.engine`` and ``NAME.layers.json`` go; made where it is missing.
        options: What to build for.
        timing_cache: File of kernel timings, to read and to write.

    Returns:
        The engines.

    Raises:
        MissingPartError: TensorRT, a driver or a GPU is missing; nothing was written.
        EngineError: An engine cannot be built; those before it are written.
        StoreError: A file cannot be written.
    """
    require_tensorrt()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, model in models.items():
        plan = build_engine(model, options, timing_cache=timing_cache)
        path = folder / f"{name}.engine"
        write_file(path, plan)
        if not options.version_compatible:  # those load in the lean runtime only
            write_file(folder / f"{name}.layers.json", inspect_engine(plan).encode())
        written.append(path)
    return tuple(written)
