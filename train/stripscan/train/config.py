"""What a training run is made of; a recipe is a function that returns a ``TrainConfig``."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from stripscan.contract.classes import NEU_CLASSES


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CompactConfig(_Config):
    """Our own network; see ``compact.StripNet``."""

    kind: Literal["compact"] = "compact"
    stem: int = 16
    widths: tuple[int, int, int, int] = (32, 64, 96, 160)
    depths: tuple[int, int, int, int] = (1, 2, 4, 2)
    expand: int = 3
    pyramid: int = 64


class EnetConfig(_Config):
    """ENet as published, the light peer; see ``enet.ENet``."""

    kind: Literal["enet"] = "enet"


class SmpConfig(_Config):
    """A network of segmentation-models-pytorch.

    ``encoder_weights`` names weights that smp downloads; ``None`` starts from scratch.
    """

    kind: Literal["smp"] = "smp"
    architecture: str = "unet"
    encoder: str = "resnet34"
    encoder_weights: str | None = "imagenet"


ModelConfig = CompactConfig | EnetConfig | SmpConfig


class InputConfig(_Config):
    """How grey values enter the network: ``(x / 255 - mean) / std``."""

    mean: float = Field(0.45, ge=0, le=1)
    std: float = Field(0.2, gt=0)
    crop_px: int = Field(192, ge=32, multiple_of=32)
    mm_per_px: float = Field(0.3, gt=0)


class OptimiserConfig(_Config):
    """AdamW on a one-cycle schedule (Smith and Topin, 2018, arXiv:1708.07120), or on a plateau one.

    The plateau schedule divides the rate by ten after three epochs without a better Dice on
    validation, as the original project did. A step is taken after every ``accumulate`` batches.
    """

    schedule: Literal["one-cycle", "plateau"] = "one-cycle"
    peak_lr: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warm_up: float = Field(0.15, gt=0, lt=1)
    ema_decay: float = Field(0.998, ge=0, lt=1)
    gradient_clip: float = Field(1.0, gt=0)
    accumulate: int = Field(1, ge=1)


class LossConfig(_Config):
    """What is minimised.

    ``boxes`` weighs the loss of the second head, which learns filled boxes as the original project
    did; 0 leaves that head out.
    """

    kind: Literal["bce-dice", "bce"] = "bce-dice"
    boxes: float = Field(0.5, ge=0)


class DataConfig(_Config):
    """What an epoch is made of.

    ``simulated`` tiles are added for every real one, ``clean`` of them without a defect: no image
    of the NEU sets is free of defects, so clean metal must be made. ``leaky_split`` accepts a split
    of a protocol that is known to leak, to compare with the figures of others.
    """

    batch: int = Field(16, ge=1)
    simulated: float = Field(0.4, ge=0)
    clean: float = Field(0.5, ge=0, le=1)
    workers: int = Field(1, ge=0)
    leaky_split: bool = False


class TeacherConfig(_Config):
    """A trained network whose probabilities are learned beside the labels (distillation).

    Hinton et al. (2015, arXiv:1503.02531), with a sigmoid for each class.
    """

    checkpoint: Path
    weight: float = Field(1.0, gt=0)


class TrainConfig(_Config):
    """A whole training run.

    ``false_alarms_per_m2`` is what the thresholds may raise on clean metal, all classes together;
    they are judged on ``clean_m2`` of it, which is simulated. ``start`` is a checkpoint with whose
    weights the run begins, in place of random ones.
    """

    recipe: str
    model: ModelConfig = Field(discriminator="kind")
    input: InputConfig = InputConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    loss: LossConfig = LossConfig()
    data: DataConfig = DataConfig()
    teacher: TeacherConfig | None = None
    start: Path | None = None
    classes: tuple[str, ...] = tuple(c.name for c in NEU_CLASSES)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    epochs: int = Field(60, ge=1)
    patience: int | None = Field(None, ge=1)
    false_alarms_per_m2: float = Field(1.0, gt=0)
    clean_m2: float = Field(6.0, gt=0)
    seed: int = 7

    @property
    def box_head(self) -> bool:
        """Whether the network has the second head."""
        return self.loss.boxes > 0
