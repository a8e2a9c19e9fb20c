import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from stripscan.export.graph import DeployedGraph
from stripscan.train.module import normalise
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.export


class Given(torch.nn.Module):
    """A network that answers with logits that were decided before."""

    def __init__(self, logits_CHW: torch.Tensor) -> None:
        super().__init__()
        self.logits_CHW = logits_CHW

    def forward(self, x_N1HW: torch.Tensor) -> torch.Tensor:
        return self.logits_CHW.expand(len(x_N1HW), -1, -1, -1)


class AsSeen(torch.nn.Module):
    """A network that answers with what it is shown."""

    def forward(self, x_N1HW: torch.Tensor) -> torch.Tensor:
        return x_N1HW


def decide(
    probabilities: list[list[float]], thresholds: list[float]
) -> tuple[list[int], list[int]]:
    """Return class ids and scores of pixels; each pixel gives a probability per class."""
    logits = torch.logit(torch.tensor(probabilities, dtype=torch.float64)).float().T[:, None]
    graph = DeployedGraph(Given(logits), mean=0.45, std=0.2, thresholds=thresholds)
    mask, score, seen = graph(torch.zeros(1, *logits.shape[1:], dtype=torch.uint8))
    assert mask.dtype == score.dtype == torch.uint8
    assert torch.equal(seen[0], logits)
    return mask.flatten().tolist(), score.flatten().tolist()


def test_the_best_class_above_its_own_threshold_wins() -> None:
    mask, _ = decide([[0.8, 0.7], [0.7, 0.8], [0.1, 0.6], [0.55, 0.1]], thresholds=[0.5, 0.5])
    assert mask == [1, 2, 2, 1]


def test_a_top_class_below_its_threshold_yields_to_the_next() -> None:
    mask, score = decide([[0.65, 0.4], [0.75, 0.4], [0.65, 0.2]], thresholds=[0.7, 0.3])
    assert mask == [2, 1, 0]
    assert score == [round(0.4 * 255), round(0.75 * 255), round(0.35 * 255)]


def test_the_score_is_the_confidence_in_what_the_mask_says() -> None:
    mask, score = decide([[0.9, 0.2], [0.02, 0.1], [0.45, 0.3]], thresholds=[0.5, 0.5])
    assert mask == [1, 0, 0]
    # Background: the probability that the likeliest class is not there.
    assert score == [round(0.9 * 255), round(0.9 * 255), round(0.55 * 255)]


def test_extreme_logits_stay_within_a_byte() -> None:
    for logit, expected in ((80.0, (1, 255)), (-80.0, (0, 255)), (0.0, (1, 128))):
        graph = DeployedGraph(
            Given(torch.full((1, 1, 1), logit)), mean=0.45, std=0.2, thresholds=[0.5]
        )
        mask, score, _ = graph(torch.zeros(1, 1, 1, dtype=torch.uint8))
        assert (mask.item(), score.item()) == expected


@given(
    probabilities=st.lists(
        st.lists(st.floats(0.01, 0.99), min_size=6, max_size=6), min_size=1, max_size=8
    ),
    thresholds=st.lists(st.sampled_from([0.3, 0.45, 0.5, 0.7, 0.9]), min_size=6, max_size=6),
)
def test_any_pixel_follows_the_rule(
    probabilities: list[list[float]], thresholds: list[float]
) -> None:
    mask, score = decide(probabilities, thresholds)
    for pixel, number, confidence in zip(probabilities, mask, score, strict=True):
        margins = [abs(p - t) for p, t in zip(pixel, thresholds, strict=True)]
        if min(margins) < 1e-5 or len({round(p, 5) for p in pixel}) < 6:
            continue  # rounding decides ties
        counted = [p if p >= t else 0 for p, t in zip(pixel, thresholds, strict=True)]
        expected = 1 + int(np.argmax(counted)) if any(counted) else 0
        assert number == expected
        sure = max(counted) if expected else 1 - max(pixel)
        assert abs(confidence - sure * 255) <= 0.51


def test_the_graph_normalises_as_training_does() -> None:
    config = tiny_config(input={"mean": 0.43, "std": 0.19})
    grey = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    graph = DeployedGraph(AsSeen(), mean=config.input.mean, std=config.input.std, thresholds=[0.5])
    _, _, seen = graph(grey)
    assert torch.allclose(seen, normalise(grey[:, None], config), atol=1e-6, rtol=0)


def test_thresholds_are_kept_exactly() -> None:
    chosen = [0.3, 0.45, 0.9]
    graph = DeployedGraph(AsSeen(), mean=0.45, std=0.2, thresholds=chosen)
    expected = [math.log(p / (1 - p)) for p in chosen]
    assert graph.limits.flatten().tolist() == pytest.approx(expected, rel=1e-6)
    assert [name for name, _ in graph.named_buffers()] == ["limits"]
