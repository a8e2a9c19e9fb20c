"""A graph in int8: quantise and dequantise nodes around convolutions, ranges measured on tiles.

Only convolutions are quantised. What adds, resizes and decides stays in floating point: it costs
little, and there int8 moves the borders of masks.
"""

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper, version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantType,
    create_calibrator,
)
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import add_infer_metadata

from stripscan.contract.errors import ParityError
from stripscan.contract.graph import IMAGE
from stripscan.export.fp16 import to_fp16
from stripscan.export.tiles import Tile

Device = Literal["cpu", "gpu"]

HALF_SCALES_OPSET: Final = 19
"""From this opset on quantise and dequantise nodes take values and scales in half precision."""

PERCENTILE: Final = 99.99
"""Share of an activation's values that its range holds: the rest is clipped."""


_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How activations become integers; weights are int8, symmetric, one scale a channel.

    Attributes:
        activations: Type of the activations.
        symmetric: Whether their zero point is 0.
        reduce_range: Whether weights have 7 bits: AVX2 adds pairs of products in 16 bits, which
            overflow with 8.
    """

    activations: QuantType
    symmetric: bool
    reduce_range: bool


SCHEMES: Final[dict[Device, Scheme]] = {
    "cpu": Scheme(activations=QuantType.QUInt8, symmetric=False, reduce_range=True),
    "gpu": Scheme(activations=QuantType.QInt8, symmetric=True, reduce_range=False),
}
"""The gpu's is what TensorRT takes; see ``illegal_for_tensorrt``."""


class _Reader(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    def __init__(self, tiles: Sequence[Tile]) -> None:
        self._tiles: Iterator[Tile] = iter(tiles)

    def get_next(self) -> dict[str, Tile] | None:
        tile = next(self._tiles, None)
        return None if tile is None else {IMAGE: tile[None]}


def convolutions(model: ModelProto) -> tuple[str, ...]:
    """Return the names of the nodes that can be quantised."""
    return tuple(node.name for node in model.graph.node if node.op_type == "Conv")


def with_shapes(model: ModelProto) -> ModelProto:
    """Return the model with the shapes of its tensors, so that they are not found for each file."""
    shaped: ModelProto = onnx.shape_inference.infer_shapes(model)
    add_infer_metadata(shaped)
    return shaped


def measure_ranges(model: ModelProto, tiles: Sequence[Tile]) -> TensorsData:
    """Return the range of each activation around a convolution.

    Args:
        model: In float32, from ``with_shapes``.
        tiles: uint8, all of one size.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, augmented = (str(Path(folder) / name) for name in ("plain.onnx", "augmented.onnx"))
        onnx.save(model, plain)
        calibrator = create_calibrator(
            plain,
            ["Conv"],
            augmented_model_path=augmented,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"percentile": PERCENTILE},
        )
        with redirect_stdout(io.StringIO()):  # it prints what it does
            for start in range(0, len(tiles), _AT_ONCE):  # it keeps all activations of a call
                calibrator.collect_data(_Reader(tiles[start : start + _AT_ONCE]))
            return calibrator.compute_data()


def quantise(
    model: ModelProto, ranges: TensorsData, device: Device, *, nodes: Sequence[str]
) -> ModelProto:
    """Return the model with some of its convolutions in int8.

    For a GPU the rest is in half precision: in single precision it would take longer than what
    int8 saves. A CPU computes the rest in single precision whatever its type.

    Args:
        model: In float32, from ``with_shapes``; it is not changed.
        ranges: From ``measure_ranges`` of this model.
        device: What it is to run on.
        nodes: Names of the convolutions.
    """
    scheme = SCHEMES[device]
    changed = ModelProto()
    changed.CopyFrom(model)
    quantizer = QDQQuantizer(
        changed,
        per_channel=True,
        reduce_range=scheme.reduce_range,
        weight_qType=QuantType.QInt8,
        activation_qType=scheme.activations,
        tensors_range=ranges,
        nodes_to_quantize=list(nodes),
        nodes_to_exclude=[],
        op_types_to_quantize=["Conv"],
        extra_options={
            "ActivationSymmetric": scheme.symmetric,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": ["Conv"],
        },
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    quantised: ModelProto = quantizer.model.model
    if device == "cpu":
        return quantised
    require_tensorrt_int8(quantised)
    return to_fp16(version_converter.convert_version(quantised, HALF_SCALES_OPSET))


def require_tensorrt_int8(model: ModelProto) -> None:
    """Check that TensorRT takes the quantised nodes.

    TensorRT quantises symmetrically: types are int8 and zero points 0 (NVIDIA, Working with
    Quantized Types).

    Raises:
        ParityError: A node is quantised otherwise.
    """
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"} and not _symmetric(node, values):
            raise ParityError(
                f"{node.name} quantises with a zero point that is not an int8 0, which TensorRT "
                "does not take: quantise with the scheme for 'gpu'"
            )


def _symmetric(node: NodeProto, values: dict[str, TensorProto]) -> bool:
    if len(node.input) < 3 or node.input[2] not in values:
        return False
    zero = numpy_helper.to_array(values[node.input[2]])
    return zero.dtype == np.int8 and not zero.any()
