"""A graph that TensorRT's parser does not document is found before it meets TensorRT."""

import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.export
onnx = pytest.importorskip("onnx")

from stripscan.export.conformance import tensorrt_problems
from unit.runtime.onnx_samples import dark_model

BUNDLE = Path(__file__).parents[3] / "runtime/stripscan/models/neu-strip-small.zip"


def problems_of(
    body: str, *, ends: str = "float[1,2,8,8] x) => (float[a,b,c,d] y", opset: int = 18
):
    text = f'<ir_version: 9, opset_import: ["" : {opset}, "mill" : 1]> g ({ends}) {{ {body} }}'
    return tensorrt_problems(onnx.parser.parse_model(text))


@pytest.mark.parametrize("file", ["model.onnx", "model.fp16.onnx", "model.int8-gpu.onnx"])
def test_what_the_default_bundle_has_for_gpus_conforms(file: str) -> None:
    with zipfile.ZipFile(BUNDLE) as archive:
        assert tensorrt_problems(onnx.load_from_string(archive.read(file))) == []


def test_a_graph_of_the_contract_conforms() -> None:
    assert tensorrt_problems(onnx.load_from_string(dark_model())) == []


QDQ = """
    s = Constant <value = float {{0.1}}> ()
    z = Constant <value = {zero}> ()
    q = QuantizeLinear (x, s, z)
    y = DequantizeLinear (q, s, z)
"""


def test_symmetric_int8_conforms() -> None:
    assert problems_of(QDQ.format(zero="int8 {0}")) == []


@pytest.mark.parametrize(
    ("body", "node", "operator", "said"),
    [
        ("y = Det (x)", "y", "Det", "the operator is not supported"),
        ("y = mill.Roll (x)", "y", "Roll", "operators of mill are unknown"),
        (
            "d = Cast <to = 11> (x) e = Sin (d) y = Cast <to = 1> (e)",
            "e",
            "Sin",
            "d is double; cast to float32",
        ),
        (
            "d = Cast <to = 3> (x) e = Abs (d) y = Cast <to = 1> (e)",
            "e",
            "Abs",
            "d is int8; int8 goes from QuantizeLinear to DequantizeLinear only",
        ),
        (
            "d = Cast <to = 2> (x) y = Cast <to = 1> (d)",
            "d",
            "Cast",
            "d is uint8 inside the network",
        ),
        (
            "d = Cast <to = 9> (x) e = Equal (d, d) y = Cast <to = 1> (e)",
            "e",
            "Equal",
            "d is bool; cast to float32 or int32",
        ),
        (
            "s = Constant <value = float[4] {1., 1., 2., 2.}> () "
            'y = Resize <mode = "cubic"> (x, , s)',
            "y",
            "Resize",
            "mode is cubic; use linear or nearest",
        ),
        (
            "s = Constant <value = float[4] {1., 1., 2., 2.}> () "
            'y = Resize <mode = "linear", antialias = 1> (x, , s)',
            "y",
            "Resize",
            "antialiasing is not supported",
        ),
        (
            "s = Constant <value = float[4] {1., 1., 2., 2.}> () "
            'y = Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize"> '
            "(x, x, s)",
            "y",
            "Resize",
            "coordinate_transformation_mode is tf_crop_and_resize",
        ),
        (
            "y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x)",
            "y",
            "MaxPool",
            "dilated pooling",
        ),
        (
            "y, i = MaxPool <kernel_shape = [2, 2]> (x)",
            "y",
            "MaxPool",
            "only its first output is supported",
        ),
        (QDQ.format(zero="int8 {3}"), "q", "QuantizeLinear", "the zero point is not 0"),
        (QDQ.format(zero="uint8 {128}"), "y", "DequantizeLinear", "the zero point is not 0"),
        (QDQ.format(zero="uint8 {0}"), "q", "QuantizeLinear", "quantises to uint8"),
    ],
)
def test_a_planted_violation_is_named(body: str, node: str, operator: str, said: str) -> None:
    found = [str(problem) for problem in problems_of(body)]
    assert [line for line in found if line.startswith(f"{node} ({operator}): {said}")], found


def test_a_reduction_over_axes_that_are_computed_is_named() -> None:
    ends = "float[1,2,8,8] x, int64[1] a) => (float[p,q,r,s] y"
    (problem,) = problems_of("y = ReduceMax (x, a)", ends=ends)
    assert str(problem) == "y (ReduceMax): a is not a constant; fix it before the export"


def test_int64_straight_to_uint8_is_named() -> None:
    body = "i = ArgMax <axis = 1> (x) y = Cast <to = 2> (i)"
    (problem,) = problems_of(body, ends="float[1,2,8,8] x) => (uint8[a,b,c,d] y")
    assert problem.what == "casts int64 to uint8"
    assert "put a cast to float between" in problem.remedy


def test_an_inner_graph_is_looked_into() -> None:
    body = """
        c = Constant <value = bool {1}> ()
        y = If (c) <then_branch = t () => (float[a,b,c,d] p) { p = Det (x) },
                    else_branch = e () => (float[a,b,c,d] q) { q = Relu (x) }>
    """
    assert [problem.operator for problem in problems_of(body)] == ["Det"]


@pytest.mark.parametrize("opset", [8, 25])
def test_an_opset_out_of_range_is_named(opset: int) -> None:
    (problem,) = problems_of("y = Relu (x)", opset=opset)
    assert str(problem).startswith(f"the model (opset {opset}): TensorRT takes opsets 9 to 24")


def test_weights_in_another_file_are_named() -> None:
    with zipfile.ZipFile(BUNDLE) as archive:
        model = onnx.load_from_string(archive.read("model.onnx"))
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    found = [problem.what for problem in tensorrt_problems(model)]
    assert "its data are in another file" in found
