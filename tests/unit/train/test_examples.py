from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("albumentations")

from stripscan.dataset.samples import Sample, load
from stripscan.train.augment import pack
from stripscan.train.config import TrainConfig
from stripscan.train.examples import Example, TrainExamples, ValidationExamples
from unit.train.train_samples import draw_tiles, tiny_config

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    folder: Path = tmp_path_factory.mktemp("tiles")
    return draw_tiles(folder, 4, size_px=80)


def mixed(clean: float = 0.0) -> TrainConfig:
    return tiny_config(data={"simulated": 3.0, "clean": clean, "workers": 0})


def equal(one: Example, other: Example) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def shown(examples: TrainExamples) -> list[set[int]]:
    """Return the values of the targets of the simulated tiles."""
    return [set(examples[i][1][0].unique().tolist()) - {0} for i in range(4, len(examples))]


def test_an_example_is_planes_of_bytes(samples: list[Sample]) -> None:
    examples = TrainExamples(samples, mixed())
    assert len(examples) == 4 + 12
    for index in (0, 4):
        image, labels = examples[index]
        assert image.dtype == labels.dtype == torch.uint8
        assert image.shape == (1, 64, 64)
        assert labels.shape == (4, 64, 64)


def test_each_epoch_draws_other_tiles_and_repeats_when_asked(samples: list[Sample]) -> None:
    examples = TrainExamples(samples, mixed())
    examples.set_epoch(1)
    first, classes = [examples[i] for i in range(len(examples))], shown(examples)
    examples.set_epoch(2)
    second, other_classes = [examples[i] for i in range(len(examples))], shown(examples)
    assert not any(equal(a, b) for a, b in zip(first, second, strict=True))
    assert classes != other_classes
    examples.set_epoch(1)
    again = [examples[i] for i in range(len(examples))]
    assert all(equal(a, b) for a, b in zip(first, again, strict=True))


def test_clean_tiles_are_known_to_be_clean(samples: list[Sample]) -> None:
    examples = TrainExamples(samples, mixed(clean=1.0))
    for index in range(4, len(examples)):
        target, known, _, boxes_known = examples[index][1]
        assert not boxes_known.any()
        assert not target.any()
        assert set(known.unique().tolist()) <= {0, 0b111111}
        assert known.any()
    assert all(shown(TrainExamples(samples, mixed(clean=0.0)))[:3])


def test_validation_is_the_same_at_any_time(samples: list[Sample]) -> None:
    examples, fresh = (ValidationExamples(samples, mixed()) for _ in range(2))
    assert len(examples) == 4 + 12
    for index in range(len(examples)):
        assert equal(examples[index], examples[index])
        assert equal(examples[index], fresh[index])


def test_validation_shows_the_images_as_they_are(samples: list[Sample]) -> None:
    examples = ValidationExamples(samples, mixed())
    for index, sample in enumerate(samples):
        image, labels = (planes.numpy() for planes in examples[index])
        image, target, known = image[0], labels[0], labels[1]
        labelled = load(sample)
        assert image.shape == (96, 96)
        assert np.array_equal(image[:80, :80], labelled.image)
        assert np.array_equal(target[:80, :80], pack(labelled.target))
        assert np.count_nonzero(known) == 80 * 80


def test_validation_and_training_draw_different_tiles(samples: list[Sample]) -> None:
    config = tiny_config(data={"simulated": 3.0, "workers": 0})
    validation = ValidationExamples(samples, config)
    other_seed = ValidationExamples(samples, tiny_config(data=config.data, seed=8))
    assert not any(equal(validation[i], other_seed[i]) for i in range(4, 16))


def test_what_does_not_fit_in_memory_is_read_again(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = TrainExamples(samples, mixed())
    monkeypatch.setattr("stripscan.train.examples.KEPT_BYTES", 80 * 80 * 5 * 2)
    partly = TrainExamples(samples, mixed())
    assert all(equal(kept[i], partly[i]) for i in range(len(samples)))
