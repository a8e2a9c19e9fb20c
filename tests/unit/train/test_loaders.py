from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("albumentations")

from stripscan.contract.errors import ConfigError
from stripscan.dataset.samples import Sample
from stripscan.train.examples import TrainExamples
from stripscan.train.loaders import EpochSampler, Share, train_batches, validation_batches
from unit.train.train_samples import draw_tiles, tiny_config

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return draw_tiles(tmp_path_factory.mktemp("tiles"), 7)


def order(samples: Sequence[Sample], share: Share, *, seed: int, epoch: int) -> list[int]:
    sampler = EpochSampler(TrainExamples(samples, tiny_config()), seed=seed, share=share)
    sampler.set_epoch(epoch)
    indices = list(sampler)
    assert len(indices) == len(sampler)
    return indices


@given(world=st.integers(1, 5), seed=st.integers(0, 2**32), epoch=st.integers(0, 10_000))
def test_processes_share_an_epoch(tiles: list[Sample], world: int, seed: int, epoch: int) -> None:
    """No example comes twice, all processes have equally many, and no more are left out."""
    shares = [Share(rank=rank, world=world) for rank in range(world)]
    parts = [order(tiles, share, seed=seed, epoch=epoch) for share in shares]
    seen = Counter(index for part in parts for index in part)
    count = len(TrainExamples(tiles, tiny_config()))
    assert set(seen) <= set(range(count))
    assert set(seen.values()) == {1}
    assert {len(part) for part in parts} == {count // world}


def test_the_order_depends_on_seed_and_epoch_alone(tiles: list[Sample]) -> None:
    first = order(tiles, Share(), seed=1, epoch=3)
    assert order(tiles, Share(), seed=1, epoch=3) == first
    assert order(tiles, Share(), seed=2, epoch=3) != first
    assert order(tiles, Share(), seed=1, epoch=4) != first


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_epoch_has_the_batches_of_the_first_time(
    tiles: list[Sample], workers: int
) -> None:
    config = tiny_config(data={"batch": 4, "simulated": 0.5, "workers": workers})
    through = train_batches(tiles, config, Share(), epoch=0)
    for epoch in (0, 1):
        through.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        expected = list(through)
    resumed = list(train_batches(tiles, config, Share(), epoch=1))
    assert len(resumed) == len(expected)
    for (image, labels), (image_then, labels_then) in zip(resumed, expected, strict=True):
        assert torch.equal(image, image_then)
        assert torch.equal(labels, labels_then)


def test_processes_do_not_augment_alike(tiles: list[Sample]) -> None:
    config = tiny_config(data={"batch": 1, "simulated": 0.0, "workers": 0})
    one = tiles[:1] * 2
    images = [
        next(iter(train_batches(one, config, Share(rank=rank, world=2), epoch=0)))[0]
        for rank in (0, 1)
    ]
    assert not torch.equal(images[0], images[1])


@pytest.mark.parametrize("world", [1, 2, 3])
def test_each_example_is_checked_once(tiles: list[Sample], world: int) -> None:
    config = tiny_config()
    alone = validation_batches(tiles, config, Share())
    everything = sum(len(image) for image, _ in alone)
    shares = [
        validation_batches(tiles, config, Share(rank=rank, world=world)) for rank in range(world)
    ]
    seen = Counter(
        index for share in shares for batch in share.batch_sampler or () for index in batch
    )
    assert set(seen.values()) == {1}
    assert len(seen) == everything
    assert all(len(share) > 0 for share in shares)


def test_validation_is_the_same_whatever_is_simulated(tiles: list[Sample]) -> None:
    """Scores of runs that differ in their simulated tiles can be compared."""
    few, many = (
        tiny_config(data={"batch": 4, "simulated": simulated, "clean": clean, "workers": 0})
        for simulated, clean in ((0.0, 0.2), (1.5, 0.8))
    )
    pairs = zip(
        validation_batches(tiles, few, Share()),
        validation_batches(tiles, many, Share()),
        strict=True,
    )
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs)


def test_more_processes_than_pictures_are_refused(tiles: list[Sample], tmp_path: Path) -> None:
    share = Share(rank=0, world=30)
    with pytest.raises(ConfigError, match="30 processes cannot share"):
        train_batches(tiles, tiny_config(), share, epoch=0)
    with pytest.raises(ConfigError, match="30 processes cannot share"):
        validation_batches(tiles, tiny_config(), share)
