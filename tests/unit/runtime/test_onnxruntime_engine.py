import numpy as np
import pytest

from stripscan.contract.errors import BundleError, EngineError
from stripscan.runtime.engines.onnxruntime import OnnxEngine

needs_onnx = pytest.mark.export


def model(**changes: str) -> bytes:
    pytest.importorskip("onnx")
    from unit.runtime.onnx_samples import dark_model

    return dark_model(**changes)


@needs_onnx
def test_it_runs_the_graph() -> None:
    engine = OnnxEngine(model(), threads=1)
    tiles = np.full((2, 32, 64), 100, np.uint8)
    tiles[1, 3, 4:8] = 39
    mask, score = engine.infer(tiles)
    assert mask.dtype == score.dtype == np.uint8
    assert mask.shape == score.shape == tiles.shape
    assert np.argwhere(mask == 2).tolist() == [[1, 3, x] for x in range(4, 8)]
    assert set(score[mask == 2]) == {200}
    assert "ONNX Runtime" in engine.description


@needs_onnx
@pytest.mark.parametrize(
    "changes", [{"image": "picture"}, {"mask": "labels"}, {"score": "p"}, {"dtype": "float"}]
)
def test_a_graph_with_other_ends_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(BundleError, match=r"inputs and outputs are .*export it with"):
        OnnxEngine(model(**changes))


@pytest.mark.parametrize("spoilt", [b"", b"no model", bytes(range(256)) * 20])
def test_bytes_that_are_no_model_are_an_engine_error(spoilt: bytes) -> None:
    with pytest.raises(EngineError, match="ONNX Runtime cannot load the model"):
        OnnxEngine(spoilt)


@needs_onnx
def test_tiles_that_the_graph_does_not_take_are_an_engine_error() -> None:
    engine = OnnxEngine(model(), threads=1)
    with pytest.raises(EngineError, match=r"failed on tiles of \(32, 32\)"):
        engine.infer(np.zeros((32, 32), np.uint8))
