from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from onnxruntime import InferenceSession

from stripscan.contract.errors import ParityError
from stripscan.contract.graph import IMAGE, MASK, SCORE
from stripscan.export.graph import DeployedGraph
from stripscan.export.onnx_file import LOGITS, OPSET, export_onnx, without_logits
from stripscan.export.parity import adversarial_tiles, check_parity, require, simulated_tiles
from stripscan.train.models import build_model
from unit.train.train_samples import TINY, tiny_config

pytestmark = pytest.mark.export

CLASSES = tiny_config().classes


@pytest.fixture(scope="module")
def graph() -> DeployedGraph:
    torch.manual_seed(5)
    net = build_model(TINY, classes=6).train()
    with torch.no_grad():
        for _ in range(20):
            net(torch.randn(4, 1, 64, 64))  # gives the norms statistics, the logits a spread
        net.head.weight *= 8
        net.head.bias.zero_()
    thresholds = [0.3, 0.4, 0.5, 0.6, 0.7, 0.9]
    return DeployedGraph(net.eval(), mean=0.45, std=0.2, thresholds=thresholds).eval()


@pytest.fixture(scope="module")
def model(graph: DeployedGraph) -> onnx.ModelProto:
    return export_onnx(graph, tile_px=64)


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


def test_parity_of_a_right_export(graph: DeployedGraph, model: onnx.ModelProto) -> None:
    tiles = [*simulated_tiles(4, 64, seed=2), *adversarial_tiles(96)]
    report = check_parity(graph, model, tiles, classes=CLASSES, seed=2)
    assert report.passed
    assert report.tiles == 14
    assert report.logit_scale > 1
    assert report.mask_agreement >= 0.9999
    assert all(iou is None or iou > 0.999 for iou in report.per_class_iou.values())
    require(report)


@pytest.mark.parametrize("wrong", [{"mean": 0.5}, {"std": 0.21}, {"thresholds": [0.5] * 6}])
def test_parity_refuses_another_preprocessing(
    graph: DeployedGraph, model: onnx.ModelProto, wrong: dict[str, object]
) -> None:
    right: dict[str, object] = {
        "mean": 0.45,
        "std": 0.2,
        "thresholds": torch.sigmoid(graph.limits).flatten().tolist(),
    }
    other = DeployedGraph(graph.model, **(right | wrong)).eval()
    tiles = [*simulated_tiles(4, 64, seed=2), *adversarial_tiles(64)]
    report = check_parity(other, model, tiles, classes=CLASSES, seed=2)
    assert not report.passed
    with pytest.raises(ParityError, match=r"on 14 tiles: .* No bundle was written"):
        require(report)


def test_parity_refuses_a_weight_that_was_lost(
    graph: DeployedGraph, model: onnx.ModelProto
) -> None:
    damaged = onnx.ModelProto()
    damaged.CopyFrom(model)
    largest = max(damaged.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights = onnx.numpy_helper.to_array(largest).copy()
    weights.flat[np.abs(weights).argmax()] = 0
    largest.CopyFrom(onnx.numpy_helper.from_array(weights, largest.name))
    report = check_parity(graph, damaged, simulated_tiles(4, 64, seed=2), classes=CLASSES, seed=2)
    assert not report.passed


def test_adversarial_tiles_cover_the_range() -> None:
    tiles = adversarial_tiles(64)
    assert all(tile.shape == (64, 64) and tile.dtype == np.uint8 for tile in tiles)
    assert {int(tile[0, 0]) for tile in tiles if tile.min() == tile.max()} >= {0, 255}
    assert any(len(np.unique(tile)) > 60 for tile in tiles)
