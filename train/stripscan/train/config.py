"""What a training run is made of; a recipe is a function that returns a ``TrainConfig``."""

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


class SmpConfig(_Config):
    """A network of segmentation-models-pytorch.

    ``encoder_weights`` names weights that smp downloads; ``None`` starts from scratch.
    """

    kind: Literal["smp"] = "smp"
    architecture: str = "Unet"
    encoder: str = "resnet34"
    encoder_weights: str | None = "imagenet"


class InputConfig(_Config):
    """How grey values enter the network: ``(x / 255 - mean) / std``."""

    mean: float = Field(0.45, ge=0, le=1)
    std: float = Field(0.2, gt=0)
    crop_px: int = Field(192, ge=32, multiple_of=32)
    mm_per_px: float = Field(0.3, gt=0)


class OptimiserConfig(_Config):
    """AdamW on a one-cycle schedule (Smith and Topin, 2018, arXiv:1708.07120)."""

    peak_lr: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warm_up: float = Field(0.15, gt=0, lt=1)
    ema_decay: float = Field(0.998, ge=0, lt=1)
    gradient_clip: float = Field(1.0, gt=0)


class DataConfig(_Config):
    """What an epoch is made of.

    ``simulated`` tiles are added for every real one, ``clean`` of them without a defect: no image
    of the NEU sets is free of defects, so clean metal must be made.
    """

    batch: int = Field(16, ge=1)
    simulated: float = Field(0.8, ge=0)
    clean: float = Field(0.45, ge=0, le=1)
    workers: int = Field(1, ge=0)


class TrainConfig(_Config):
    """A whole training run."""

    recipe: str
    model: CompactConfig | SmpConfig = Field(discriminator="kind")
    input: InputConfig = InputConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    data: DataConfig = DataConfig()
    classes: tuple[str, ...] = tuple(c.name for c in NEU_CLASSES)
    epochs: int = Field(36, ge=1)
    seed: int = 7
