"""Every recipe is trained on a tiny data set, stopped, resumed and scored; one is exported too.

That every recipe can be exported is tested beside it, with random weights.
"""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("onnx")
pytest.importorskip("segmentation_models_pytorch")

from stripscan.contract.bundle import open_bundle
from stripscan.dataset.neu import find_samples
from stripscan.dataset.scoring.evaluation import evaluate, unseen
from stripscan.dataset.split import Split
from stripscan.export import build
from stripscan.train.checkpoint import Checkpoint
from stripscan.train.config import SmpConfig, TrainConfig
from stripscan.train.recipes import RECIPES, adjusted, recipe
from stripscan.train.segmenter import checkpoint_segmenter
from stripscan.train.trainer import resume, train

pytestmark = [pytest.mark.train, pytest.mark.export]


class Stopped(Exception):  # noqa: N818 - no error
    pass


def quick(name: str) -> TrainConfig:
    """Return a recipe as it is, but for its length and the size of what it learns from."""
    config = adjusted(recipe(name), epochs=2)
    if isinstance(config.model, SmpConfig):
        config = adjusted(config, encoder_weights="none")
    small = {
        "input": config.input.model_copy(update={"crop_px": 64}),
        "data": config.data.model_copy(update={"batch": 4, "simulated": 0.0, "workers": 0}),
        "clean_m2": 0.001,
    }
    return TrainConfig.model_validate({**dict(config), **small})


def stop_after_one_epoch(config: TrainConfig, data: Path, split: Split, out: Path) -> None:
    def watch(epoch: int, _dice: float) -> None:
        raise Stopped(epoch)

    with pytest.raises(Stopped):
        train(config, data=data, out=out, split=split, progress=False, watch=watch)


def trained(name: str, data: Path, split: Split, out: Path) -> Checkpoint:
    config = quick(name)
    stop_after_one_epoch(config, data, split, out)

    checkpoint = resume(out, progress=False)
    assert checkpoint is not None
    assert checkpoint.config == config
    assert (out / "curves.png").exists()
    return checkpoint


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_is_trained_and_scored(
    name: str, data: Path, split: Split, tmp_path: Path
) -> None:
    checkpoint = trained(name, data, split, tmp_path / "run")
    wanted = set(split.test)
    test = [sample for sample in find_samples(data) if sample.name in wanted]
    scores = evaluate(checkpoint_segmenter(checkpoint), unseen(test))
    assert scores.n_images == len(test)
    assert scores.box_figures_of == "box head"


def test_what_was_trained_becomes_a_bundle(data: Path, split: Split, tmp_path: Path) -> None:
    checkpoint = trained("strip-small", data, split, tmp_path / "run")
    build.build_bundle(
        checkpoint,
        tmp_path / "bundle",
        name="strip-small",
        data=build.TestData(folder=data, split=split),
        command="test",
        plan=build.Plan(tile_px=64, parity_tiles=8),
    )
    manifest = open_bundle(tmp_path / "bundle").manifest
    assert manifest.provenance.recipe == "strip-small"
    assert manifest.thresholds == checkpoint.thresholds
    assert dict(manifest.min_area_px) == checkpoint.min_area_px
    (variant,) = manifest.variants
    assert variant.parity is not None
    assert variant.scores is not None
