"""Batches for one process of a run: which examples, in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import DataLoader, Sampler

from stripscan.contract.errors import ConfigError
from stripscan.dataset.samples import Sample
from stripscan.train.config import DataConfig, TrainConfig
from stripscan.train.examples import Example, TrainExamples, ValidationExamples


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which of several processes this one is; all train one network.

    Attributes:
        rank: Number of the process, from 0.
        world: How many there are.
    """

    rank: int = 0
    world: int = 1


class EpochSampler(Sampler[int]):
    """Shuffles by seed and epoch alone, so that a resumed run meets the same order.

    The processes of a run share each epoch: no example comes twice, and each process has equally
    many. Where the examples cannot be shared evenly, a different few are left out in each epoch.

    Args:
        examples: They are told the epoch as well.
        seed: Seed of the order.
        share: The share of this process.
    """

    def __init__(self, examples: TrainExamples, *, seed: int, share: Share) -> None:
        self._examples = examples
        self._seed = seed
        self._share = share
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that comes next; Lightning calls this before each."""
        self._epoch = epoch
        self._examples.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._examples) // self._share.world

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self._seed, self._epoch, 3))
        order = rng.permutation(len(self._examples)).tolist()
        usable = len(self) * self._share.world
        return iter(order[self._share.rank : usable : self._share.world])


def train_batches(
    samples: Sequence[Sample], config: TrainConfig, share: Share, *, epoch: int
) -> DataLoader[Example]:
    """Return the batches to learn from.

    Args:
        samples: What to learn from.
        config: The run.
        share: The share of this process.
        epoch: The epoch that comes first, from 0; the worker processes start with it.

    Raises:
        ConfigError: There are more processes than examples.
        DataError: An image or a label cannot be read.
    """
    # The processes must not augment alike.
    own = config.model_copy(update={"seed": config.seed + 1_000_003 * share.rank})
    examples = TrainExamples(samples, own)
    sampler = EpochSampler(examples, seed=config.seed, share=share)
    _enough(len(examples), share, "training")
    sampler.set_epoch(epoch)
    return DataLoader(
        examples,
        batch_size=config.data.batch,
        sampler=sampler,
        drop_last=len(sampler) > config.data.batch,
        num_workers=config.data.workers,
    )


def validation_batches(
    samples: Sequence[Sample], config: TrainConfig, share: Share
) -> DataLoader[Example]:
    """Return the batches to choose by; each example comes once, in one of the processes.

    The share of simulated tiles is always the default one, whatever is trained on, so that the
    scores of runs can be compared.

    Raises:
        ConfigError: There are more processes than examples.
        DataError: An image or a label cannot be read.
    """
    usual = DataConfig(batch=config.data.batch)
    examples = ValidationExamples(samples, config.model_copy(update={"data": usual}))
    _enough(len(examples), share, "validation")
    size = min(config.data.batch, len(examples) // share.world)
    own = examples.batches(size)[share.rank :: share.world]
    return DataLoader(examples, batch_sampler=own)


def _enough(examples: int, share: Share, what: str) -> None:
    if examples < share.world:
        raise ConfigError(
            f"{share.world} processes cannot share {examples} examples of the {what}: use fewer "
            "--devices or --nodes"
        )
