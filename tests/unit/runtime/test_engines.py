"""One suite for every engine that runs on this machine."""

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.contract.bundle import open_bundle
from stripscan.contract.errors import BundleError, EngineError
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.onnxruntime import OnnxEngine
from stripscan.runtime.engines.onnxruntime_gpu import OnnxGpuEngine
from stripscan.runtime.engines.openvino import OpenvinoEngine
from stripscan.runtime.engines.tensorrt_parts import tensorrt_problem
from stripscan.runtime.golden import require_golden
from stripscan.simulation.tiles import sample_tile

needs_onnx = pytest.mark.export
needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="needs the extra openvino"
)
needs_gpu = pytest.mark.skipif(
    tensorrt_problem() is not None, reason="needs an NVIDIA GPU, TensorRT and pycuda"
)

Make = Callable[[bytes], Engine]

ENGINES = [
    pytest.param(lambda model: OnnxEngine(model, threads=1), id="onnxruntime"),
    pytest.param(lambda model: OnnxEngine(model, threads=3), id="onnxruntime-3-threads"),
    pytest.param(
        lambda model: OpenvinoEngine(model, threads=1), id="openvino", marks=needs_openvino
    ),
    pytest.param(
        lambda model: OnnxGpuEngine(model, provider="cuda"), id="onnxruntime-cuda", marks=needs_gpu
    ),
    pytest.param(
        lambda model: OnnxGpuEngine(model, provider="tensorrt"),
        id="onnxruntime-tensorrt",
        marks=needs_gpu,
    ),
]

every_engine = pytest.mark.parametrize("make", ENGINES)


def dark(**changes: object) -> bytes:
    pytest.importorskip("onnx")
    from unit.runtime.onnx_samples import dark_model

    return dark_model(**changes)


@pytest.fixture(scope="module")
def default_model() -> bytes:
    bundle = open_bundle(default_bundle_path())
    return bundle.read(next(v.file for v in bundle.manifest.variants if v.precision == "fp32"))


@pytest.fixture(scope="module")
def strip() -> NDArray[np.uint8]:
    rng = np.random.default_rng(4)
    tiles = [sample_tile(rng, 256)[0] for _ in range(5)]
    tiles += [np.full((256, 256), grey, np.uint8) for grey in (0, 255)]
    return np.stack([*tiles, rng.integers(0, 256, (256, 256), dtype=np.uint8)])


@needs_onnx
@every_engine
def test_it_runs_the_graph_and_says_what_it_is(make: Make) -> None:
    engine = make(dark())
    tiles = np.full((2, 32, 64), 100, np.uint8)
    tiles[1, 3, 4:8] = 39
    mask, score = engine.infer(tiles)
    assert mask.dtype == score.dtype == np.uint8
    assert mask.shape == score.shape == tiles.shape
    assert np.argwhere(mask == 2).tolist() == [[1, 3, x] for x in range(4, 8)]
    assert set(score[mask == 2]) == {200}
    assert set(score[mask == 0]) == {0}
    assert any(character.isdigit() for character in engine.description)  # its version


@needs_onnx
@every_engine
def test_any_number_and_size_of_tiles_in_any_order(make: Make) -> None:
    engine = make(dark())
    rng = np.random.default_rng(1)
    sizes = [(1, 32, 32), (7, 64, 32), (3, 32, 96), (1, 96, 32), (2, 64, 64), (16, 32, 32)]
    for size in [*sizes, *sizes[::-1]]:
        tiles = rng.integers(0, 256, size, dtype=np.uint8)
        mask, score = engine.infer(tiles)
        assert np.array_equal(mask, np.where(tiles < 40, 2, 0))
        assert np.array_equal(score, np.where(tiles < 40, 200, 0))


@needs_onnx
@every_engine
def test_what_it_gave_stays_as_it_was_and_what_it_was_given_too(make: Make) -> None:
    engine = make(dark())
    tiles = np.full((2, 32, 32), 10, np.uint8)
    mask, score = engine.infer(tiles)
    engine.infer(np.full((2, 32, 32), 200, np.uint8))
    assert set(mask.flat) == {2}
    assert set(score.flat) == {200}
    assert set(tiles.flat) == {10}


@needs_onnx
@every_engine
def test_tiles_that_are_a_window_of_a_picture(make: Make) -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (2, 80, 120), dtype=np.uint8)
    window = picture[:, 5:69:2, 7:39]
    assert np.array_equal(make(dark()).infer(window)[0], np.where(window < 40, 2, 0))


@needs_onnx
@every_engine
@pytest.mark.parametrize(
    "changes", [{"image": "picture"}, {"mask": "labels"}, {"score": "p"}, {"dtype": "float"}]
)
def test_a_graph_with_other_ends_is_refused(make: Make, changes: dict[str, str]) -> None:
    with pytest.raises(BundleError, match=r"inputs and outputs are .*export it with"):
        make(dark(**changes))


@every_engine
@pytest.mark.parametrize("spoilt", [b"", b"no model", bytes(range(256)) * 20])
def test_bytes_that_are_no_model_are_an_engine_error(make: Make, spoilt: bytes) -> None:
    with pytest.raises(EngineError, match=r"load the model|run the model"):
        make(spoilt)


@every_engine
def test_half_a_model_is_an_engine_error(make: Make, default_model: bytes) -> None:
    with pytest.raises(EngineError, match=r"load the model|run the model"):
        make(default_model[: len(default_model) // 2])


@needs_onnx
@every_engine
@pytest.mark.parametrize("tiles", [np.zeros((32, 32), np.uint8), np.zeros((1, 32, 32), np.float32)])
def test_tiles_that_the_graph_does_not_take(make: Make, tiles: NDArray[np.generic]) -> None:
    with pytest.raises(EngineError, match=r"failed on tiles of \("):
        make(dark()).infer(tiles)


@every_engine
def test_the_default_bundle_gives_its_masks(
    make: Make, default_model: bytes, strip: NDArray[np.uint8]
) -> None:
    engine = make(default_model)
    require_golden(engine, open_bundle(default_bundle_path()))
    mask, score = engine.infer(strip)
    wanted, sure = OnnxEngine(default_model, threads=1).infer(strip)
    assert np.mean(mask == wanted) >= 0.999
    same = mask == wanted
    assert np.abs(score.astype(int) - sure)[same].max() <= 2
    assert len(np.unique(wanted)) > 2  # the comparison is about something


@every_engine
def test_a_tile_means_the_same_alone_and_in_a_batch(
    make: Make, default_model: bytes, strip: NDArray[np.uint8]
) -> None:
    engine = make(default_model)
    together, _ = engine.infer(strip)
    alone = np.concatenate([engine.infer(tile[None])[0] for tile in strip])
    assert np.mean(together == alone) >= 0.9999
