"""A graph in half precision: the types are in the file, where every engine takes them from."""

from typing import Final

import numpy as np
import onnx
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    numpy_helper,
)

from stripscan.contract.errors import ParityError

KEPT_FLOAT: Final = frozenset(
    {
        "GroupNormalization",
        "InstanceNormalization",
        "LayerNormalization",
        "Pow",
        "ReduceL2",
        "ReduceMean",
        "ReduceSum",
        "ReduceSumSquare",
    }
)
"""Operators that sum or square over many elements, which 65,504 is too small for."""

_FLOAT_INPUTS: Final = {"Resize": (1, 2)}
"""Inputs that the standard wants in float32 whatever the data are: the regions and the scales."""

_LARGEST: Final = float(np.finfo(np.float16).max)


def to_fp16(model: ModelProto) -> ModelProto:
    """Return the model with weights and activations in half precision.

    Only types change: operators that need the range of float32 stay in it, between casts.

    Raises:
        ParityError: A weight is too large for half precision.
    """
    half = ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    del graph.value_info[:]
    float_only, floats = _float_only(graph), _floats(model)
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in float_only:
            tensor.CopyFrom(_halved(tensor))
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type in KEPT_FLOAT:
            nodes += _between_casts(node, floats)
            continue
        _retype(node, keep=float_only)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    for end in (*graph.input, *graph.output):
        if end.type.tensor_type.elem_type == TensorProto.FLOAT:
            end.type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.checker.check_model(half, full_check=True)
    return half


def _float_only(graph: GraphProto) -> frozenset[str]:
    """Return the tensors that must stay in float32."""
    return frozenset(
        node.input[place]
        for node in graph.node
        for place in _FLOAT_INPUTS.get(node.op_type, ())
        if place < len(node.input) and node.input[place]
    )


def _floats(model: ModelProto) -> frozenset[str]:
    """Return the tensors that are float32."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    typed = [*graph.input, *graph.value_info, *graph.output]
    names = {v.name for v in typed if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    return frozenset(
        names | {t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT}
    )


def _halved(tensor: TensorProto) -> TensorProto:
    values = numpy_helper.to_array(tensor)
    if not np.all(np.abs(values) <= _LARGEST):
        raise ParityError(
            f"the weight {tensor.name} reaches {np.abs(values).max():.3g}, half precision ends at "
            f"{_LARGEST:.0f}: export it with --precision fp32"
        )
    return numpy_helper.from_array(values.astype(np.float16), tensor.name)


def _retype(node: NodeProto, *, keep: frozenset[str]) -> None:
    """Make a node give half precision where it names a type itself."""
    if set(node.output) & keep:
        return
    for attribute in node.attribute:
        if attribute.name in {"to", "dtype"} and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16
        is_tensor = attribute.type == AttributeProto.TENSOR
        if is_tensor and attribute.t.data_type == TensorProto.FLOAT:
            attribute.t.CopyFrom(_halved(attribute.t))


def _between_casts(node: NodeProto, floats: frozenset[str]) -> list[NodeProto]:
    """Return a node that computes in float32, what it takes and gives in half precision."""
    kept = NodeProto()
    kept.CopyFrom(node)
    before, after = [], []
    for place, name in enumerate(node.input):
        if name in floats:
            kept.input[place] = f"{node.name}.in{place}"
            before.append(_cast(name, kept.input[place], TensorProto.FLOAT))
    for place, name in enumerate(node.output):
        if name in floats:
            kept.output[place] = f"{node.name}.out{place}"
            after.append(_cast(kept.output[place], name, TensorProto.FLOAT16))
    return [*before, kept, *after]


def _cast(source: str, target: str, to: int) -> NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast.{target}", to=to)
