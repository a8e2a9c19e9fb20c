import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from stripscan.train.config import TrainConfig
from stripscan.train.examples import Example
from stripscan.train.module import normalise
from stripscan.train.thresholds import CANDIDATES, UNMEASURED, choose_thresholds
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train


class GreyIsProbability(torch.nn.Module):
    """Takes the grey value, in per cent, for the probability of every class."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, x_N1HW: torch.Tensor) -> torch.Tensor:
        settings = self.config.input
        grey_N1HW = (x_N1HW * settings.std + settings.mean) * 255 / 100
        return torch.logit(grey_N1HW).expand(-1, len(self.config.classes), -1, -1)


def row(values: list[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.uint8).reshape(1, 1, 1, -1)


def example(image: list[int], target: list[int], known: list[int]) -> Example:
    return row(image), row(target), row(known)


def choose(batches: list[Example], *, clean: list[int]) -> dict[str, float]:
    config = tiny_config()
    return choose_thresholds(GreyIsProbability(config), batches, [row(clean)], config)


def test_each_class_gets_the_threshold_that_serves_it_best() -> None:
    # Class 1 is at 62 % and more, class 2 also at 38 %; the pixel of 33 % shows neither.
    batch = example([62, 80, 38, 33], [0b11, 0b11, 0b10, 0b00], [0b11] * 4)
    chosen = choose([batch], clean=[10])
    assert chosen["crazing"] == 0.4
    assert chosen["inclusion"] == 0.35


def test_clean_metal_raises_the_threshold() -> None:
    batch = example([62, 80, 38, 33], [0b11, 0b11, 0b10, 0b00], [0b11] * 4)
    chosen = choose([batch], clean=[10, 57, 20])
    assert chosen["crazing"] == chosen["inclusion"] == 0.6


def test_metal_that_is_never_quiet_takes_the_highest_candidate() -> None:
    batch = example([62, 80, 38, 33], [0b11, 0b11, 0b10, 0b00], [0b11] * 4)
    assert choose([batch], clean=[95])["crazing"] == CANDIDATES[-1]


def test_what_no_label_speaks_of_does_not_choose() -> None:
    # The second batch would pull class 1 to 0.6, were its bright pixels known.
    batches = [
        example([52, 38], [0b1, 0b0], [0b1, 0b1]),
        example([58, 58, 62], [0b0, 0b0, 0b1], [0b0, 0b0, 0b0]),
    ]
    assert choose(batches, clean=[10])["crazing"] == 0.4


def test_counts_are_pooled_over_batches() -> None:
    clean = example([48] * 8, [0] * 8, [1] * 8)
    found = example([52, 47], [1, 1], [1, 1])
    assert choose([clean, found], clean=[10])["crazing"] == 0.5


def test_a_class_that_validation_does_not_show_keeps_the_middle() -> None:
    chosen = choose([example([35, 90], [0, 1], [0b11, 0b11])], clean=[10])
    assert chosen["inclusion"] == UNMEASURED == 0.5
    assert set(chosen) == set(tiny_config().classes)


def test_normalising_is_what_the_configuration_says() -> None:
    config = tiny_config(input={"mean": 0.5, "std": 0.25})
    grey = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)
    assert normalise(grey, config).flatten().tolist() == pytest.approx([-2.0, -1.2, 2.0])
