"""The recipes that ``stripscan train`` knows by name."""

from collections.abc import Callable
from difflib import get_close_matches

from stripscan.contract.errors import ConfigError
from stripscan.train.config import (
    CompactConfig,
    DataConfig,
    OptimiserConfig,
    SmpConfig,
    TrainConfig,
)


def strip_small() -> TrainConfig:
    """Our compact network: 0.44 GFLOP for 256x256 px, 0.54 M parameters."""
    return TrainConfig(recipe="strip-small", model=CompactConfig(), epochs=36)


def unet_resnet34() -> TrainConfig:
    """U-Net with a ResNet34 encoder, the strongest habit in the field."""
    return TrainConfig(
        recipe="unet-resnet34",
        model=SmpConfig(architecture="Unet", encoder="resnet34"),
        optimiser=OptimiserConfig(peak_lr=5e-4),
        data=DataConfig(batch=8),
        epochs=20,
    )


RECIPES: dict[str, Callable[[], TrainConfig]] = {
    "strip-small": strip_small,
    "unet-resnet34": unet_resnet34,
}


def recipe(name: str) -> TrainConfig:
    """Return the configuration of a recipe.

    Raises:
        ConfigError: There is no recipe of that name.
    """
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ConfigError(f"unknown recipe '{name}': {hint}choose from {', '.join(RECIPES)}")
    return RECIPES[name]()


def adjusted(
    config: TrainConfig,
    *,
    epochs: int | None = None,
    seed: int | None = None,
    encoder_weights: str | None = None,
) -> TrainConfig:
    """Return a recipe with what the user asked to be different.

    Args:
        config: The recipe.
        epochs: Passes over the training images.
        seed: Seed of weights, order and augmentation.
        encoder_weights: Weights of an smp encoder; ``"none"`` starts from scratch.

    Raises:
        ConfigError: The recipe has no encoder to choose weights for.
    """
    update: dict[str, object] = {}
    if epochs is not None:
        update["epochs"] = epochs
    if seed is not None:
        update["seed"] = seed
    if encoder_weights is not None:
        if not isinstance(config.model, SmpConfig):
            raise ConfigError(
                f"--encoder-weights {encoder_weights}: '{config.recipe}' is trained from scratch "
                "and has no encoder to choose weights for; leave the option out"
            )
        weights = None if encoder_weights == "none" else encoder_weights
        update["model"] = config.model.model_copy(update={"encoder_weights": weights})
    return TrainConfig.model_validate({**dict(config), **update})
