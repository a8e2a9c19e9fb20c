import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from stripscan.train.config import TrainConfig
from stripscan.train.examples import Example
from stripscan.train.module import normalise
from stripscan.train.operating_point import (
    UNMEASURED,
    OperatingPoint,
    choose_operating_point,
)
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train


class GreyIsProbability(torch.nn.Module):
    """Takes the grey value, in per cent, for the probability of every class."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config
        self.unused = torch.nn.Parameter(torch.zeros(1))  # says where the network is

    def forward(self, x_N1HW: torch.Tensor) -> torch.Tensor:
        settings = self.config.input
        grey_N1HW = (x_N1HW * settings.std + settings.mean) * 255 / 100
        return torch.logit(grey_N1HW).expand(-1, len(self.config.classes), -1, -1)


SIDE = 40


def plane(*patches: tuple[int, int, int, int, int], base: int = 5) -> torch.Tensor:
    """Return uint8 ``[1, 40, 40]`` with rectangles of (value, top, left, height, width)."""
    image = torch.full((1, SIDE, SIDE), base, dtype=torch.uint8)
    for value, top, left, height, width in patches:
        image[0, top : top + height, left : left + width] = value
    return image


def batch(image: torch.Tensor, target: torch.Tensor, known: torch.Tensor | None = None) -> Example:
    known = plane(base=0b11) if known is None else known
    nothing = torch.zeros_like(target)
    return image[None], torch.cat([target, known, nothing, nothing])[None]


def choose(batches: list[Example], *clean: torch.Tensor, rate: float = 1.0) -> OperatingPoint:
    config = tiny_config(false_alarms_per_m2=rate)
    return choose_operating_point(
        GreyIsProbability(config),
        batches,
        [image[None] for image in clean] or [plane()[None]],
        config,
    )


def test_each_class_gets_the_threshold_that_serves_it_best() -> None:
    # The bright square shows class 1 and 2, the dim one class 2 only.
    image = plane((72, 0, 0, 10, 10), (43, 20, 20, 10, 10))
    target = plane((0b11, 0, 0, 10, 10), (0b10, 20, 20, 10, 10), base=0)
    point = choose([batch(image, target)])
    assert point.thresholds["crazing"] == 0.45
    assert point.thresholds["inclusion"] == 0.15


def test_false_alarms_on_clean_metal_raise_the_threshold() -> None:
    image, target = plane((72, 0, 0, 10, 10)), plane((0b1, 0, 0, 10, 10), base=0)
    alarming = plane((58, 5, 5, 12, 12))
    assert choose([batch(image, target)]).thresholds["crazing"] == 0.15
    point = choose([batch(image, target)], alarming)
    assert point.thresholds["crazing"] == 0.6
    assert point.false_alarms_per_m2["crazing"] == 0.0


def test_a_false_alarm_may_be_allowed_by_its_rate() -> None:
    image, target = plane((72, 0, 0, 10, 10)), plane((0b1, 0, 0, 10, 10), base=0)
    square_metres = SIDE * SIDE * 0.3**2 / 1e6
    rate = 1.01 / square_metres  # one false alarm, of whatever class
    point = choose([batch(image, target)], plane((58, 5, 5, 12, 12)), rate=rate)
    assert point.thresholds["crazing"] == 0.15
    assert point.false_alarms_per_m2["crazing"] == pytest.approx(1 / square_metres, rel=1e-4)


def test_false_alarms_go_to_the_class_that_gains_by_them() -> None:
    # Class 2 loses a defect with the alarm, class 1 loses nothing.
    image = plane((72, 0, 0, 10, 10), (43, 20, 20, 10, 10))
    target = plane((0b11, 0, 0, 10, 10), (0b10, 20, 20, 10, 10), base=0)
    square_metres = SIDE * SIDE * 0.3**2 / 1e6
    alarming = plane((48, 5, 5, 12, 12))
    point = choose([batch(image, target)], alarming, rate=1.01 / square_metres)
    assert point.thresholds["crazing"] >= 0.5
    assert point.thresholds["inclusion"] <= 0.4
    assert point.false_alarms_per_m2["crazing"] == 0
    assert point.false_alarms_per_m2["inclusion"] > 0


def test_small_false_alarms_are_kept_out_by_area_where_that_costs_less() -> None:
    # The defect is as dim as the false alarm, but larger.
    image, target = plane((58, 0, 0, 20, 20)), plane((0b1, 0, 0, 20, 20), base=0)
    point = choose([batch(image, target)], plane((72, 5, 5, 10, 10)))
    assert point.thresholds["crazing"] <= 0.55
    assert point.min_area_px["crazing"] == 120


def test_metal_that_is_never_quiet_takes_the_quietest_choice() -> None:
    image, target = plane((99, 0, 0, 10, 10)), plane((0b1, 0, 0, 10, 10), base=0)
    clean = plane((98, 5, 5, 20, 20), (78, 30, 0, 8, 8), (78, 30, 20, 8, 8))
    point = choose([batch(image, target)], clean)
    assert point.thresholds["crazing"] >= 0.8 or point.min_area_px["crazing"] > 64
    assert point.false_alarms_per_m2["crazing"] == pytest.approx(1 / (SIDE**2 * 9e-8), rel=1e-3)


def test_what_no_label_speaks_of_does_not_choose() -> None:
    image = plane((72, 0, 0, 10, 10), (43, 20, 20, 10, 10))
    target = plane((0b1, 0, 0, 10, 10), base=0)
    unknown = plane((0, 20, 20, 10, 10), base=0b1)
    assert choose([batch(image, target)]).thresholds["crazing"] == 0.45
    assert choose([batch(image, target, unknown)]).thresholds["crazing"] == 0.15


def test_a_class_that_validation_does_not_show_keeps_the_middle() -> None:
    point = choose([batch(plane((72, 0, 0, 10, 10)), plane(base=0))])
    assert point.thresholds["inclusion"] == UNMEASURED[0] == 0.5
    assert set(point.thresholds) == set(point.min_area_px) == set(tiny_config().classes)


def test_normalising_is_what_the_configuration_says() -> None:
    config = tiny_config(input={"mean": 0.5, "std": 0.25})
    grey = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)
    assert normalise(grey, config).flatten().tolist() == pytest.approx([-2.0, -1.2, 2.0])
