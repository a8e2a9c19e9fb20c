from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from onnxruntime import InferenceSession

from stripscan.contract.graph import IMAGE, MASK, SCORE
from stripscan.export.graph import DeployedGraph
from stripscan.export.onnx_file import LOGITS, OPSET, without_logits
from stripscan.export.tiles import simulated_tiles

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def shipped(model: onnx.ModelProto) -> onnx.ModelProto:
    return without_logits(model)


def session(model: onnx.ModelProto) -> InferenceSession:
    return InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("batch", "height", "width"),
    [(1, 32, 32), (3, 64, 96), (2, 256, 256), (5, 224, 32), (1, 96, 2048)],
)
def test_any_batch_and_size_gives_what_torch_gives(
    graph: DeployedGraph, model: onnx.ModelProto, batch: int, height: int, width: int
) -> None:
    rng = np.random.default_rng((batch, height, width))
    image = rng.integers(0, 256, (batch, height, width), dtype=np.uint8)
    with torch.no_grad():
        mask, score, logits = (t.numpy() for t in graph(torch.from_numpy(image)))
    got_mask, got_score, got_logits = session(model).run([MASK, SCORE, LOGITS], {IMAGE: image})
    assert got_mask.shape == got_score.shape == image.shape
    np.testing.assert_allclose(got_logits, logits, atol=1e-4 * np.abs(logits).max())
    assert np.mean(got_mask == mask) > 0.9999
    agreed = got_mask == mask
    assert np.abs(got_score.astype(int) - score)[agreed].max() <= 1
    if image.size >= 64 * 96:
        assert len(np.unique(mask)) > 2  # the comparison is about something


def test_only_bytes_go_in_and_out(shipped: onnx.ModelProto) -> None:
    ends = [*shipped.graph.input, *shipped.graph.output]
    assert [end.name for end in ends] == [IMAGE, MASK, SCORE]
    for end in ends:
        tensor = end.type.tensor_type
        assert tensor.elem_type == onnx.TensorProto.UINT8
        assert len(tensor.shape.dim) == 3
        assert not any(dim.HasField("dim_value") for dim in tensor.shape.dim)


def test_what_is_shipped_gives_the_same_masks(
    model: onnx.ModelProto, shipped: onnx.ModelProto
) -> None:
    image = np.stack(simulated_tiles(2, 64, seed=1))
    with_logits = session(model).run([MASK, SCORE], {IMAGE: image})
    for expected, got in zip(with_logits, session(shipped).run(None, {IMAGE: image}), strict=True):
        assert np.array_equal(expected, got)


def test_what_is_shipped_is_one_file_of_the_opset(
    graph: DeployedGraph, shipped: onnx.ModelProto
) -> None:
    assert {opset.domain: opset.version for opset in shipped.opset_import} == {"": OPSET}
    assert all(not tensor.external_data for tensor in shipped.graph.initializer)
    weights = sum(p.numel() for p in graph.parameters())
    assert 4 * weights * 0.9 < shipped.ByteSize() < 4 * weights + 200_000


def test_what_is_shipped_tells_nothing_of_where_it_was_made(shipped: onnx.ModelProto) -> None:
    content = shipped.SerializeToString()
    source = Path(__file__).resolve().parents[3]
    for trace in (str(source), str(Path.home()) + "/", ".py", "site-packages", "Traceback"):
        assert trace.encode() not in content, trace
    assert not shipped.metadata_props
    assert not shipped.graph.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in shipped.graph.node)
