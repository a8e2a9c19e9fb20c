"""Tiny models that keep the contract of the graph; importing this needs the export extra."""

from onnx import TensorProto, helper


def dark_model(
    *,
    image: str = "image",
    mask: str = "mask",
    score: str = "score",
    dtype: str = "uint8",
    class_id: int = 2,
) -> bytes:
    """Return a model that gives every pixel below 40 a class, with a score of 200."""
    kind = {"uint8": TensorProto.UINT8, "float": TensorProto.FLOAT}[dtype]
    nodes = [
        helper.make_node("Cast", [image], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Less", ["grey", "limit"], ["dark"]),
        helper.make_node("Cast", ["dark"], ["share"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["share", "number"], ["class"]),
        helper.make_node("Mul", ["share", "sure"], ["sureness"]),
        helper.make_node("Cast", ["class"], [mask], to=TensorProto.UINT8),
        helper.make_node("Cast", ["sureness"], [score], to=TensorProto.UINT8),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.FLOAT, [], [value])
        for name, value in (("limit", 40.0), ("number", float(class_id)), ("sure", 200.0))
    ]
    shape = ["n", "h", "w"]
    graph = helper.make_graph(
        nodes,
        "dark",
        [helper.make_tensor_value_info(image, kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.UINT8, shape) for name in (mask, score)],
        constants,
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return bytes(model.SerializeToString())


def dark_gate_model() -> bytes:
    """Return a gate that marks cells of 4 by 4 reduced pixels with a mean below 60."""
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["grey", "zero", "axis", "axis"], ["plane"]),
        helper.make_node("AveragePool", ["plane"], ["means"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Squeeze", ["means", "axis"], ["mean"]),
        helper.make_node("Less", ["mean", "limit"], ["dark"]),
        helper.make_node("Cast", ["dark"], ["marks"], to=TensorProto.UINT8),
    ]
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
        helper.make_tensor("limit", TensorProto.FLOAT, [], [60.0]),
    ]
    graph = helper.make_graph(
        nodes,
        "dark gate",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 2, "h", "w"])],
        [helper.make_tensor_value_info("marks", TensorProto.UINT8, ["n", "r", "c"])],
        constants,
    )
    opset = helper.make_opsetid("", 17)
    return bytes(helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString())
