"""The network that a run begins with."""

from torch import nn

from stripscan.contract.errors import ConfigError
from stripscan.train.checkpoint import load_checkpoint
from stripscan.train.config import TrainConfig
from stripscan.train.models import build_model


def first_model(config: TrainConfig) -> nn.Module:
    """Return the network with random weights, or with those of ``TrainConfig.start``.

    Raises:
        ConfigError: The network cannot be built, or the start is another network.
        DataError: The start, or the weights of an encoder, cannot be read.
    """
    if config.start is None:
        return build_model(config.model, classes=len(config.classes), box_head=config.box_head)
    begun = load_checkpoint(config.start)
    for what in ("model", "classes", "box_head"):
        theirs, ours = getattr(begun.config, what), getattr(config, what)
        if theirs != ours:
            raise ConfigError(
                f"{config.start} cannot be the start of this run: its {what} is {theirs}, the "
                f"recipe's {ours}"
            )
    return begun.build(box_head=True)
