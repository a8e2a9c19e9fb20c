import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from onnx import numpy_helper

from stripscan.contract.errors import ParityError
from stripscan.export.conformance import tensorrt_problems
from stripscan.export.int8 import (
    convolutions,
    measure_ranges,
    quantise,
    require_tensorrt_int8,
    with_shapes,
)
from stripscan.export.onnx_file import without_logits
from stripscan.export.parity import onnx_run
from stripscan.export.tiles import simulated_tiles

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def model(model):
    return with_shapes(model)


@pytest.fixture(scope="module")
def ranges(model):
    return measure_ranges(model, simulated_tiles(10, 64, seed=4))


def zero_points(model) -> list[np.ndarray]:
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    return [
        numpy_helper.to_array(values[node.input[2]])
        for node in model.graph.node
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}
    ]


def test_for_a_gpu_all_is_int8_around_zero(model, ranges) -> None:
    zeros = zero_points(quantise(model, ranges, "gpu", nodes=convolutions(model)))
    assert zeros
    assert all(zero.dtype == np.int8 and not zero.any() for zero in zeros)


def test_for_a_cpu_activations_are_uint8_and_weights_have_7_bits(model, ranges) -> None:
    quantised = quantise(model, ranges, "cpu", nodes=convolutions(model))
    assert np.uint8 in {zero.dtype.type for zero in zero_points(quantised)}
    weights = [
        numpy_helper.to_array(tensor)
        for tensor in quantised.graph.initializer
        if tensor.name.endswith("weight_quantized")
    ]
    assert len(weights) == len(convolutions(model))
    assert max(int(np.abs(weight).max()) for weight in weights) <= 64


def test_for_a_gpu_the_rest_is_in_half_precision(model, ranges) -> None:
    first, *others = convolutions(model)
    quantised = quantise(model, ranges, "gpu", nodes=others)
    scales = {node.input[1] for node in quantised.graph.node if "Quantize" in node.op_type}
    weights = {node.input[1] for node in quantised.graph.node if node.name == first}
    kinds = {t.name: t.data_type for t in quantised.graph.initializer}
    assert {kinds[name] for name in scales | weights} == {onnx.TensorProto.FLOAT16}
    assert tensorrt_problems(without_logits(quantised)) == []


def test_uint8_activations_are_refused_for_tensorrt(model, ranges) -> None:
    with pytest.raises(ParityError, match="which TensorRT does not take"):
        require_tensorrt_int8(quantise(model, ranges, "cpu", nodes=convolutions(model)))


def test_only_the_named_convolutions_change(model, ranges) -> None:
    first, *_ = convolutions(model)
    quantised = quantise(model, ranges, "gpu", nodes=[first])
    made = {output: node for node in quantised.graph.node for output in node.output}
    of_int8 = [
        node.name
        for node in quantised.graph.node
        if node.op_type == "Conv"
        and node.input[1] in made
        and made[node.input[1]].op_type == "DequantizeLinear"
    ]
    assert of_int8 == [first]
    assert set(convolutions(quantised)) == set(convolutions(model))


def test_bytes_go_in_and_out_and_most_pixels_agree(model, ranges, reference) -> None:
    shipped = without_logits(quantise(model, ranges, "gpu", nodes=convolutions(model)))
    run = onnx_run(shipped)
    natural = list(reference)[: len(reference.tiles.natural)]
    agreement = np.mean([np.mean(run(tile)[0] == mask) for tile, mask, _ in natural])
    assert 0.9 < agreement < 1.0
    assert shipped.ByteSize() < model.ByteSize()


def test_the_same_tiles_give_the_same_file(model, ranges) -> None:
    again = measure_ranges(model, simulated_tiles(10, 64, seed=4))
    nodes = convolutions(model)
    assert quantise(model, again, "cpu", nodes=nodes).SerializeToString(
        deterministic=True
    ) == quantise(model, ranges, "cpu", nodes=nodes).SerializeToString(deterministic=True)
