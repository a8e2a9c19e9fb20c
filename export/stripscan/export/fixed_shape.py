"""ONNX files of one batch and one tile size, for compilers and accelerators that take no other.

Engines of stripscan run the bundle's own files, which take any number and size of tiles.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import ParityError
from stripscan.contract.files import write_file
from stripscan.contract.graph import IMAGE, MASK
from stripscan.export.parity import LIMITS
from stripscan.export.tiles import simulated_tiles
from stripscan.runtime.engines.onnxruntime import ERRORS_ONLY


def with_fixed_shape(model: onnx.ModelProto, *, batch: int, tile_px: int) -> onnx.ModelProto:
    """Return the same nodes for tiles ``[batch, tile_px, tile_px]`` alone."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    for end in (*fixed.graph.input, *fixed.graph.output):
        for dim, size in zip(
            end.type.tensor_type.shape.dim, (batch, tile_px, tile_px), strict=True
        ):
            dim.dim_value = size
    fixed = onnx.shape_inference.infer_shapes(fixed, data_prop=True)
    onnx.checker.check_model(fixed, full_check=True)
    return fixed


def write_fixed(
    bundle: Bundle, folder: Path, *, batch: int, tiles_px: Sequence[int]
) -> Iterator[Path]:
    """Write each ONNX file of a bundle for one batch and each tile size, and yield its path.

    Args:
        bundle: An open bundle.
        folder: Where they go; made where it is missing.
        batch: Tiles in a call.
        tiles_px: Sides of the tiles in px, multiples of 32.

    Raises:
        ParityError: A file gives other masks than the bundle's; it is not written.
        BundleError: A file of the bundle is damaged.
        StoreError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for variant in bundle.manifest.variants:
        if variant.engine != "onnx":
            continue
        content = bundle.read(variant.file)
        for tile_px in tiles_px:
            name = f"{variant.file.removesuffix('.onnx')}.{batch}x{tile_px}x{tile_px}.onnx"
            model = with_fixed_shape(onnx.load_from_string(content), batch=batch, tile_px=tile_px)
            fixed = model.SerializeToString()
            tiles = np.stack(simulated_tiles(batch, tile_px, seed=batch))
            agreement = np.mean(_masks(fixed, tiles) == _masks(content, tiles))
            if agreement < LIMITS[variant.precision].agreement:
                raise ParityError(
                    f"{name}: {agreement:.3%} of its pixels are those of {variant.file}: "
                    "use the bundle's file"
                )
            write_file(folder / name, fixed)
            yield folder / name


def _masks(content: bytes, tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    options = SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run([MASK], {IMAGE: tiles})[0], np.uint8)
