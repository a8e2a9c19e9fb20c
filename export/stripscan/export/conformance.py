"""Checks an ONNX graph against what TensorRT's parser documents, without TensorRT.

A graph that passes uses operators and types of the documented table only. Whether the builder
finds kernels for it, only a build on the target tells.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
import onnx.inliner
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

SOURCE: Final = "docs/operators.md of onnx/onnx-tensorrt, for TensorRT 10.15"
"""The table below, and the opsets. TensorRT 11 takes what 10.15 takes, and opset 25."""

OPSETS: Final = range(9, 25)

_FLOAT = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})
_HALF = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16})
_NUMBER = _FLOAT | {TensorProto.INT32, TensorProto.INT64}
_BOOL = frozenset({TensorProto.BOOL})
_ANY = _NUMBER | _BOOL

_TABLE: Final[Mapping[frozenset[int], str]] = {
    _FLOAT: """
        Acos Acosh Asin Asinh Atan Atanh AveragePool BatchNormalization Ceil Celu Clip Conv
        ConvTranspose Cos Cosh CumSum Dropout Einsum Elu Erf Exp Floor Gemm GlobalAveragePool
        GlobalLpPool GlobalMaxPool GroupNormalization GRU HardSigmoid HardSwish Hardmax
        InstanceNormalization IsInf LayerNormalization LeakyRelu Log LogSoftmax LRN LSTM
        LpNormalization LpPool MatMul MaxPool MeanVarianceNormalization PRelu QuantizeLinear
        RandomNormal RandomNormalLike RandomUniform RandomUniformLike Reciprocal Resize
        RMSNormalization RNN Round Scan Selu Sigmoid Sin Sinh Softmax Softplus Softsign Sqrt Tan
        Tanh ThresholdedRelu Upsample
    """,
    _HALF: """
        BlackmanWindow DeformConv GridSample HammingWindow HannWindow Mish NonMaxSuppression
        NonZero RoiAlign
    """,
    _NUMBER: """
        Abs Add ArgMax ArgMin DepthToSpace Div Equal Gelu Greater GreaterOrEqual IsNaN Less
        LessOrEqual Max Mean Min Mod Mul Neg Pad Pow Range ReduceL1 ReduceL2 ReduceLogSum
        ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu
        Scatter ScatterElements ScatterND Shrink Sign SpaceToDepth Sub Sum TopK
    """,
    _BOOL: "And Not Or Xor",
    _ANY: """
        Concat Constant ConstantOfShape Expand EyeLike Flatten Gather GatherElements GatherND
        Identity If Loop OneHot Reshape ReverseSequence Shape Size Slice Split Squeeze Tile
        Transpose Trilu Unsqueeze Where
    """,
    _ANY | {TensorProto.UINT8}: "Cast CastLike",
    frozenset({TensorProto.INT8}): "DequantizeLinear",
}
_TYPES: Final = {name: types for types, names in _TABLE.items() for name in names.split()}

_QUANTIZED: Final = frozenset({"QuantizeLinear", "DequantizeLinear"})
_RESIZE: Final[Mapping[str, frozenset[str]]] = {
    "mode": frozenset({"nearest", "linear"}),
    "coordinate_transformation_mode": frozenset(
        {"half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners"}
    ),
    "nearest_mode": frozenset({"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"}),
    "keep_aspect_ratio_policy": frozenset({"stretch"}),
}
_CONSTANT_INPUT: Final = dict.fromkeys(("Squeeze", "Unsqueeze", "CumSum"), 1) | dict.fromkeys(
    (name for name in _TYPES if name.startswith("Reduce")), 1
)
"""Inputs that must be known when the engine is built, by operator."""

_REMEDIES: Final[Mapping[int, str]] = {
    TensorProto.UINT8: "cast to float as the first node, and back as the last one",
    TensorProto.DOUBLE: "cast to float32",
    TensorProto.INT8: "int8 goes from QuantizeLinear to DequantizeLinear only",
    TensorProto.BOOL: "cast to float32 or int32",
    TensorProto.UNDEFINED: "make shape inference possible",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that TensorRT's parser does not document.

    Attributes:
        node: Name of the node, or of its first output where it has none.
        operator: Its operator.
        what: What is not supported.
        remedy: What to do.
    """

    node: str
    operator: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.node} ({self.operator}): {self.what}; {self.remedy}"


def tensorrt_problems(model: onnx.ModelProto) -> list[Problem]:
    """Return all that stands in the way of parsing a graph with TensorRT, in graph order.

    Args:
        model: A single-file model.

    Raises:
        onnx.shape_inference.InferenceError: The graph contradicts itself.
    """
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    model = onnx.shape_inference.infer_shapes(model, check_type=True, data_prop=True)
    opset = max((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), default=0)
    problems = list(_of_model(model, opset))
    if opset in OPSETS:
        problems += _Graph(model.graph, opset, outer=None).problems()
    return problems


def _of_model(model: onnx.ModelProto, opset: int) -> Iterator[Problem]:
    if opset not in OPSETS:
        yield Problem(
            node="the model",
            operator=f"opset {opset}",
            what=f"TensorRT takes opsets {OPSETS.start} to {OPSETS.stop - 1}",
            remedy="export with one of them",
        )
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            yield Problem(
                node=tensor.name,
                operator="initializer",
                what="its data are in another file",
                remedy="save the model as one file",
            )


class _Graph:
    """A graph with the types and constants that its nodes see."""

    def __init__(self, graph: onnx.GraphProto, opset: int, *, outer: "_Graph | None") -> None:
        self._graph, self._opset = graph, opset
        values = (*graph.value_info, *graph.input, *graph.output)
        self._types: dict[str, int] = dict(outer._types) if outer else {}
        self._types |= {v.name: v.type.tensor_type.elem_type for v in values}
        self._types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
        self._constants: dict[str, NDArray[np.generic]] = dict(outer._constants) if outer else {}
        self._constants |= {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in graph.initializer
            if tensor.data_location != TensorProto.EXTERNAL
        }
        for node in graph.node:
            if node.op_type == "Constant" and (value := _attributes(node).get("value")) is not None:
                self._constants[node.output[0]] = numpy_helper.to_array(value)
        self._ends = {v.name for v in (*graph.input, *graph.output)} if outer is None else set()

    def problems(self) -> Iterator[Problem]:
        """Yield the problems of all nodes, those of inner graphs after their node's."""
        for node in self._graph.node:
            for what, remedy in self._of_node(node):
                name = node.name or node.output[0]
                yield Problem(node=name, operator=node.op_type, what=what, remedy=remedy)
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    yield from _Graph(attribute.g, self._opset, outer=self).problems()

    def _of_node(self, node: onnx.NodeProto) -> Iterator[tuple[str, str]]:
        if node.domain not in {"", "ai.onnx"}:
            yield f"operators of {node.domain} are unknown", "export without custom operators"
        elif node.op_type not in _TYPES:
            yield "the operator is not supported", "replace it in the network, or run on the CPU"
        else:
            yield from self._of_types(node)
            yield from self._of_restrictions(node)

    def _of_types(self, node: onnx.NodeProto) -> Iterator[tuple[str, str]]:
        allowed = _TYPES[node.op_type]
        if node.op_type in {"Cast", "CastLike"}:
            yield from self._of_cast(node)
        for name in self._data(node):
            kind = self._types.get(name, TensorProto.UNDEFINED)
            if kind not in allowed:
                yield f"{name} is {_text(kind)}", _remedy(kind)

    def _data(self, node: onnx.NodeProto) -> list[str]:
        """Return the tensors that the table speaks of: not shapes, indices and conditions."""
        if node.op_type == "Constant":  # judged where it is used: as weights, it may be int8
            return []
        if node.op_type in _QUANTIZED:
            return [node.input[0]]
        if node.op_type in {"Cast", "CastLike"}:
            return [node.input[0], node.output[0]]
        schema = onnx.defs.get_schema(node.op_type, self._opset)
        first = 1 if node.op_type == "Where" else 0
        formal = schema.inputs or schema.outputs
        variable = formal[min(first, len(formal) - 1)].type_str
        data = []
        for names, slots in ((node.input, schema.inputs), (node.output, schema.outputs)):
            for index, name in enumerate(names):
                if name and slots[min(index, len(slots) - 1)].type_str == variable:
                    data.append(name)
        return data

    def _of_cast(self, node: onnx.NodeProto) -> Iterator[tuple[str, str]]:
        """Check that uint8 is at the ends of the network only, and float on its other side."""
        source, target = (self._types.get(n, 0) for n in (node.input[0], node.output[0]))
        for kind, name, other in (
            (source, node.input[0], target),
            (target, node.output[0], source),
        ):
            if kind != TensorProto.UINT8:
                continue
            if other not in _HALF:
                yield (
                    f"casts {_text(source)} to {_text(target)}",
                    "uint8 casts from and to float32 and float16 only: put a cast to float between",
                )
            if name not in self._ends:
                yield f"{name} is uint8 inside the network", _remedy(TensorProto.UINT8)

    def _of_restrictions(self, node: onnx.NodeProto) -> Iterator[tuple[str, str]]:
        given = _attributes(node)
        operator = node.op_type
        if operator == "Resize":
            yield from _of_resize(given)
        if operator in {"AveragePool", "MaxPool", "LpPool"}:
            if any(step != 1 for step in given.get("dilations", ())):
                yield "dilated pooling is not supported", "pool without dilations"
            if len(given.get("kernel_shape", (0, 0))) not in {2, 3}:
                yield "only 2D and 3D pooling is supported", "add a dimension of 1"
        if operator in {"MaxPool", "LayerNormalization"} and any(node.output[1:]):
            yield "only its first output is supported", "do without the other"
        if operator in _QUANTIZED:
            yield from self._of_quantization(node)
        if operator == "ScatterND" and given.get("reduction", b"none") != b"none":
            yield "scattering with a reduction is not supported", "scatter without"
        if operator == "TopK" and not given.get("sorted", 1):
            yield "unsorted TopK is not supported", "set sorted to 1"
        if operator == "Dropout" and any(node.input[2:3]) and self._constant(node, 2) is not False:
            yield "dropout in training mode is not supported", "export in evaluation mode"
        index = _CONSTANT_INPUT.get(operator, len(node.input))
        if any(node.input[index : index + 1]) and self._constant(node, index) is None:
            yield f"{node.input[index]} is not a constant", "fix it before the export"

    def _of_quantization(self, node: onnx.NodeProto) -> Iterator[tuple[str, str]]:
        if not any(node.input[2:3]):
            return
        zero_point = self._constants.get(node.input[2])
        if zero_point is None or np.any(zero_point.astype(np.float64)):
            yield "the zero point is not 0", "quantise symmetrically, in int8"
        elif zero_point.dtype != np.int8:
            yield f"quantises to {zero_point.dtype}", "quantise symmetrically, in int8"

    def _constant(self, node: onnx.NodeProto, index: int) -> object:
        """Return the value of an input, None where it is not a constant."""
        value = self._constants.get(node.input[index])
        return None if value is None else value.tolist()


def _of_resize(given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, allowed in _RESIZE.items():
        value = given.get(name)
        if isinstance(value, bytes) and value.decode() not in allowed:
            if name == "nearest_mode" and given.get("mode", b"nearest") != b"nearest":
                continue
            yield f"{name} is {value.decode()}", f"use {' or '.join(sorted(allowed))}"
    if given.get("antialias"):
        yield "antialiasing is not supported", "resize without"


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _text(kind: int) -> str:
    if kind == TensorProto.UNDEFINED:
        return "of unknown type"
    name: str = TensorProto.DataType.Name(kind)
    return name.lower()


def _remedy(kind: int) -> str:
    return _REMEDIES.get(kind, "cast to one of float32, float16, int32 and int64")
