import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from stripscan.contract.errors import ParityError
from stripscan.export.fp16 import to_fp16
from stripscan.export.onnx_file import without_logits
from stripscan.export.parity import check_parity, onnx_run

pytestmark = pytest.mark.export


def small(*nodes, weights=(), output=TensorProto.FLOAT):
    """Return a model from ``x``, float32 ``[N, 4]``, to ``y``."""
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", output, ["A", "B"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def types(model) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    found = {v.name: v.type.tensor_type.elem_type for v in [*graph.value_info, *graph.output]}
    return found | {t.name: t.data_type for t in graph.initializer}


def weights_of(model) -> int:
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer)


def test_weights_and_activations_are_half_and_the_file_half_as_large(model) -> None:
    half = to_fp16(model)
    convolutions = [node for node in half.graph.node if node.op_type == "Conv"]
    found = types(half)
    assert {found[name] for node in convolutions for name in (*node.input[1:], *node.output)} == {
        TensorProto.FLOAT16
    }
    assert weights_of(half) == pytest.approx(weights_of(model) / 2, rel=0.01)


def test_only_bytes_go_in_and_out(model) -> None:
    shipped = without_logits(to_fp16(model))
    ends = [*shipped.graph.input, *shipped.graph.output]
    assert {end.type.tensor_type.elem_type for end in ends} == {TensorProto.UINT8}


def test_it_passes_the_gate_and_is_not_the_same(reference, model) -> None:
    report = check_parity(reference, onnx_run(to_fp16(model)), "fp16")
    assert report.passed
    assert report.mean_abs_logit_error > 1e-6


def test_sums_of_many_stay_in_float32() -> None:
    model = small(
        helper.make_node("ReduceSumSquare", ["x", "axes"], ["s"], name="sum", keepdims=1),
        helper.make_node("Sqrt", ["s"], ["y"], name="root"),
        weights=[("axes", np.array([1]))],
    )
    half = to_fp16(model)
    found = types(half)
    assert found["sum.out0"] == TensorProto.FLOAT
    assert found["axes"] == TensorProto.INT64


def test_scales_of_a_resize_stay_in_float32() -> None:
    model = small(
        helper.make_node("Resize", ["x", "", "scales"], ["y"], name="r", mode="nearest"),
        weights=[("scales", np.array([1, 2], np.float32))],
    )
    half = to_fp16(model)
    assert types(half)["scales"] == TensorProto.FLOAT
    assert types(half)["y"] == TensorProto.FLOAT16


def test_a_weight_too_large_is_named() -> None:
    model = small(
        helper.make_node("Mul", ["x", "huge"], ["y"], name="m"),
        weights=[("huge", np.array([7e4], np.float32))],
    )
    with pytest.raises(ParityError, match=r"the weight huge reaches 7e\+04, .* ends at 65504"):
        to_fp16(model)


def test_the_original_is_left_alone(model) -> None:
    before = model.SerializeToString()
    to_fp16(model)
    assert model.SerializeToString() == before


def test_masks_are_those_of_float32_but_for_ties(model, reference) -> None:
    run = InferenceSession(without_logits(to_fp16(model)).SerializeToString())
    same = [
        np.mean(run.run(["mask"], {"image": tile[None]})[0][0] == mask)
        for tile, mask, _ in reference
    ]
    assert np.mean(same) > 0.999
