import pytest
from pydantic import ValidationError

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import ConfigError
from stripscan.train.config import SmpConfig, TrainConfig
from stripscan.train.models import build_model, gflop
from stripscan.train.recipes import RECIPES, adjusted, recipe

pytestmark = pytest.mark.train


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_survives_its_json(name: str) -> None:
    config = recipe(name)
    assert config.recipe == name
    assert config.classes == tuple(c.name for c in NEU_CLASSES)
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'strip-smal': did you mean 'strip-small'"):
        recipe("strip-smal")


def test_a_far_name_lists_all_recipes() -> None:
    with pytest.raises(ConfigError, match=r"'zzz': choose from .*strip-small.*unet-resnet34"):
        recipe("zzz")


def test_what_the_user_changes_is_changed_and_nothing_else() -> None:
    config = adjusted(recipe("unet-resnet34"), epochs=3, seed=11, encoder_weights="none")
    assert (config.epochs, config.seed) == (3, 11)
    assert isinstance(config.model, SmpConfig)
    assert config.model.encoder_weights is None
    assert adjusted(config, epochs=20, seed=7, encoder_weights="imagenet") == recipe(
        "unet-resnet34"
    )


def test_weights_for_a_network_without_an_encoder_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--encoder-weights imagenet.*strip-small"):
        adjusted(recipe("strip-small"), encoder_weights="imagenet")


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epoch": 3},
        {"input": {"crop_px": 200}},
        {"model": {"kind": "smpp"}},
        {"data": {"clean": 1.5}},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainConfig.model_validate(recipe("strip-small").model_dump() | wrong)


@pytest.mark.parametrize(("name", "gflop_at_most"), [("strip-nano", 0.25), ("strip-small", 0.5)])
def test_ours_cost_what_they_promise(name: str, gflop_at_most: float) -> None:
    net = build_model(recipe(name).model, classes=6)
    assert 0.5 * gflop_at_most < gflop(net) <= gflop_at_most


def test_the_original_recipes_keep_the_original_hyper_parameters() -> None:
    originals = ("unet-resnet34", "fpn-resnet34", "fpn-inceptionv4", "fpn-xception")
    for config in map(recipe, originals):
        options = config.optimiser
        assert (options.schedule, options.peak_lr) == ("plateau", 5e-4)
        assert (config.data.batch, options.accumulate) == (4, 8)
        assert (config.input.crop_px, config.loss.kind, config.epochs) == (128, "bce", 20)


def test_any_network_of_smp_goes_by_name() -> None:
    config = recipe("deeplabv3plus/efficientnet-b0")
    assert config.recipe == "deeplabv3plus/efficientnet-b0"
    assert isinstance(config.model, SmpConfig)
    assert (config.model.architecture, config.model.encoder) == ("deeplabv3plus", "efficientnet-b0")
