"""The teacher of a distillation: a trained network that only looks."""

from collections.abc import Callable

import torch
from torch import Tensor

from stripscan.contract.errors import ConfigError
from stripscan.train.checkpoint import load_checkpoint
from stripscan.train.config import TrainConfig


def teacher_of(config: TrainConfig) -> Callable[[Tensor], Tensor] | None:
    """Return the teacher that a run names, None where it names none.

    The teacher is no part of the module that is trained: its weights are neither moved nor saved.

    Returns:
        Maps normalised images ``[N, 1, H, W]`` to logits, masks first.

    Raises:
        ConfigError: The teacher sees other classes, or its input otherwise than the pupil.
        DataError: The checkpoint cannot be read.
    """
    if config.teacher is None:
        return None
    checkpoint = load_checkpoint(config.teacher.checkpoint)
    theirs, ours = checkpoint.config, config
    if theirs.classes != ours.classes:
        raise ConfigError(
            f"the teacher {config.teacher.checkpoint} knows the classes "
            f"{', '.join(theirs.classes)}, the recipe {', '.join(ours.classes)}"
        )
    if (theirs.input.mean, theirs.input.std) != (ours.input.mean, ours.input.std):
        raise ConfigError(
            f"the teacher {config.teacher.checkpoint} takes grey values with mean "
            f"{theirs.input.mean} and std {theirs.input.std}, the recipe with {ours.input.mean} "
            f"and {ours.input.std}: train them alike"
        )
    model = checkpoint.build(box_head=theirs.box_head and ours.box_head)

    def look(x_N1HW: Tensor) -> Tensor:
        with torch.no_grad():
            logits_NCHW: Tensor = model.to(x_N1HW.device)(x_N1HW)
        return logits_NCHW

    return look
