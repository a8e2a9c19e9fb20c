"""The recipes that ``stripscan train`` knows by name."""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from stripscan.contract.errors import ConfigError
from stripscan.train.config import (
    CompactConfig,
    DataConfig,
    EnetConfig,
    InputConfig,
    LossConfig,
    ModelConfig,
    OptimiserConfig,
    SmpConfig,
    TeacherConfig,
    TrainConfig,
)


def strip_nano() -> TrainConfig:
    """Our smallest network: 0.21 GFLOP for 256x256 px, 0.21 M parameters."""
    return _ours(
        "strip-nano",
        CompactConfig(stem=12, widths=(24, 48, 64, 96), depths=(1, 2, 3, 2), pyramid=40),
    )


def strip_small() -> TrainConfig:
    """The network of the default bundle: 0.44 GFLOP for 256x256 px, 0.54 M parameters."""
    return _ours("strip-small", CompactConfig())


def strip_base() -> TrainConfig:
    """Quality before speed, and the teacher of the others: 1.6 GFLOP, 2.2 M parameters."""
    return _ours(
        "strip-base",
        CompactConfig(stem=24, widths=(48, 96, 160, 256), depths=(2, 3, 6, 3), pyramid=128),
    )


def _ours(name: str, model: CompactConfig) -> TrainConfig:
    return TrainConfig(recipe=name, model=model, precision="bf16")


def unet_resnet34() -> TrainConfig:
    """U-Net with a ResNet34 encoder, as the original project trained it."""
    return _original("unet-resnet34", "unet", "resnet34")


def fpn_resnet34() -> TrainConfig:
    """Feature pyramid with a ResNet34 encoder, as the original project trained it."""
    return _original("fpn-resnet34", "fpn", "resnet34")


def fpn_inceptionv4() -> TrainConfig:
    """Feature pyramid with an InceptionV4 encoder, as the original project trained it."""
    return _original("fpn-inceptionv4", "fpn", "inceptionv4")


def fpn_xception() -> TrainConfig:
    """Feature pyramid with an Xception encoder, as the original project trained it."""
    return _original("fpn-xception", "fpn", "xception")


def _original(name: str, architecture: str, encoder: str) -> TrainConfig:
    """Return the original's hyper-parameters: 20 epochs, Adam 5e-4, BCE, plateau, 4 x 8, 128 px."""
    return TrainConfig(
        recipe=name,
        model=SmpConfig(architecture=architecture, encoder=encoder),
        input=InputConfig(crop_px=128),
        optimiser=OptimiserConfig(
            schedule="plateau", peak_lr=5e-4, weight_decay=0, ema_decay=0, accumulate=8
        ),
        loss=LossConfig(kind="bce"),
        data=DataConfig(batch=4),
        epochs=20,
    )


def enet() -> TrainConfig:
    """ENet, the light network that the field compares with: 0.35 M parameters."""
    return TrainConfig(recipe="enet", model=EnetConfig(), precision="bf16")


def segformer_b0() -> TrainConfig:
    """SegFormer-B0, the light transformer: 3.5 GFLOP, 3.7 M parameters."""
    return TrainConfig(
        recipe="segformer-b0",
        model=SmpConfig(architecture="segformer", encoder="mit_b0"),
        optimiser=OptimiserConfig(peak_lr=1e-3),
        precision="bf16",
    )


RECIPES: dict[str, Callable[[], TrainConfig]] = {
    "strip-nano": strip_nano,
    "strip-small": strip_small,
    "strip-base": strip_base,
    "unet-resnet34": unet_resnet34,
    "fpn-resnet34": fpn_resnet34,
    "fpn-inceptionv4": fpn_inceptionv4,
    "fpn-xception": fpn_xception,
    "enet": enet,
    "segformer-b0": segformer_b0,
}


def recipe(name: str) -> TrainConfig:
    """Return the configuration of a recipe.

    Args:
        name: One of ``RECIPES``, or any network of segmentation-models-pytorch as
            ``architecture/encoder``, e.g. ``deeplabv3plus/efficientnet-b0``.

    Raises:
        ConfigError: There is no recipe of that name.
    """
    architecture, slash, encoder = name.partition("/")
    if slash and architecture and encoder:
        return TrainConfig(
            recipe=name,
            model=SmpConfig(architecture=architecture, encoder=encoder),
            optimiser=OptimiserConfig(peak_lr=5e-4),
        )
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ConfigError(
            f"unknown recipe '{name}': {hint}choose from {', '.join(RECIPES)}, or name a network "
            "of segmentation-models-pytorch as ARCHITECTURE/ENCODER"
        )
    return RECIPES[name]()


def adjusted(
    config: TrainConfig,
    *,
    epochs: int | None = None,
    seed: int | None = None,
    encoder_weights: str | None = None,
    precision: str | None = None,
    teacher: Path | None = None,
    start: Path | None = None,
) -> TrainConfig:
    """Return a recipe with what the user asked to be different.

    Args:
        config: The recipe.
        epochs: Passes over the training images.
        seed: Seed of weights, order and augmentation.
        encoder_weights: Weights of an smp encoder; ``"none"`` starts from scratch.
        precision: ``"fp32"``, ``"bf16"`` or ``"fp16"``.
        teacher: Checkpoint of the network to learn from, beside the labels.
        start: Checkpoint of the same network whose weights to begin with.

    Raises:
        ConfigError: The recipe has no encoder to choose weights for.
    """
    update: dict[str, object] = {
        "epochs": epochs,
        "seed": seed,
        "precision": precision,
        "start": start,
    }
    if teacher is not None:
        update["teacher"] = TeacherConfig(checkpoint=teacher)
    if encoder_weights is not None:
        update["model"] = _with_weights(config, encoder_weights)
    given = {name: value for name, value in update.items() if value is not None}
    return TrainConfig.model_validate({**dict(config), **given})


def _with_weights(config: TrainConfig, encoder_weights: str) -> ModelConfig:
    if not isinstance(config.model, SmpConfig):
        raise ConfigError(
            f"--encoder-weights {encoder_weights}: '{config.recipe}' is trained from scratch "
            "and has no encoder to choose weights for; leave the option out"
        )
    weights = None if encoder_weights == "none" else encoder_weights
    return config.model.model_copy(update={"encoder_weights": weights})
