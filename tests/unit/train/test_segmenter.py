import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from stripscan.contract.classes import NEU_CLASSES
from stripscan.train.checkpoint import Checkpoint, model_state
from stripscan.train.models import build_model
from stripscan.train.segmenter import checkpoint_segmenter
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train


def checkpoint(*, thresholds: float = 0.3, boxes: float = 0.5) -> Checkpoint:
    config = tiny_config(loss={"boxes": boxes})
    torch.manual_seed(3)
    model = build_model(config.model, classes=len(NEU_CLASSES), box_head=config.box_head)
    with torch.no_grad():
        model.head.weight *= 100  # so that classes differ over the image
    return Checkpoint(
        config=config,
        state=model_state(model),
        thresholds={c.name: thresholds for c in NEU_CLASSES},
        facts={},
    )


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width), np.uint8)


@pytest.mark.parametrize("size", [(64, 96), (50, 70)])
def test_it_gives_what_the_exported_graph_gives(size: tuple[int, int]) -> None:
    pytest.importorskip("onnx")
    from stripscan.export.graph import DeployedGraph

    given = checkpoint()
    graph = DeployedGraph(
        given.build(),
        mean=given.config.input.mean,
        std=given.config.input.std,
        thresholds=list(given.thresholds.values()),
    )
    pixels = image(*size)
    height, width = size
    padded = np.pad(pixels, [(0, -side % 32) for side in size], mode="reflect")
    with torch.inference_mode():
        mask, score, _ = graph(torch.from_numpy(padded)[None])

    seen = checkpoint_segmenter(given)(pixels)

    assert seen.mask.shape == seen.score.shape == size
    assert (seen.mask == mask[0, :height, :width].numpy()).mean() > 0.999
    assert np.abs(seen.score.astype(int) - score[0, :height, :width].numpy()).max() <= 1
    assert len(np.unique(seen.mask)) > 1


def test_the_box_head_answers_where_there_is_one() -> None:
    with_head = checkpoint_segmenter(checkpoint())(image(64, 64))
    without = checkpoint_segmenter(checkpoint(boxes=0.0))(image(64, 64))

    assert with_head.boxes is not None
    assert (with_head.boxes.shape, with_head.boxes.dtype) == ((6, 64, 64), bool)
    assert without.boxes is None


def test_nothing_reaches_a_threshold_of_one() -> None:
    seen = checkpoint_segmenter(checkpoint(thresholds=1.0))(image(64, 64))

    assert not seen.mask.any()
