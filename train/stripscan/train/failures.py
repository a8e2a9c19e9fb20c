"""What ends a run that is no mistake of the program, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stripscan.contract.errors import ConfigError, DataError
from stripscan.train.config import TrainConfig

_CPU_WORDS = ("can't allocate memory", "not enough memory", "cannot allocate memory")


class DivergedError(DataError):
    """The loss of a run is no number any more."""


@contextmanager
def memory_explained(config: TrainConfig) -> Iterator[None]:
    """Turn a lack of memory into a message that says which options need less.

    Raises:
        ConfigError: There was not enough memory.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ConfigError(_advice("the GPU", config)) from error
    except MemoryError as error:
        raise ConfigError(_advice("this computer", config)) from error
    except RuntimeError as error:
        if not any(words in str(error).lower() for words in _CPU_WORDS):
            raise
        raise ConfigError(_advice("this computer", config)) from error


def _advice(where: str, config: TrainConfig) -> str:
    batch, accumulate = config.data.batch, config.optimiser.accumulate
    advice = [f"a smaller crop than input.crop_px={config.input.crop_px}"]
    if batch > 1:
        half = batch // 2
        advice.insert(
            0,
            f"--set data.batch={half} --set optimiser.accumulate={accumulate * 2} (a step then "
            "counts as many examples as before)",
        )
    if config.precision == "fp32":
        advice.append("--set precision=bf16")
    return (
        f"the memory of {where} is too small for batches of {batch} crops of "
        f"{config.input.crop_px} px in {config.precision}. Try {'; '.join(advice)}"
    )
