"""Every recipe leaves in every form, with random weights: each passes its gate or is refused."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("segmentation_models_pytorch")

from stripscan.contract.errors import ParityError
from stripscan.export.graph import DeployedGraph
from stripscan.export.onnx_file import export_onnx
from stripscan.export.parity import reference_of
from stripscan.export.tiles import CheckTiles, simulated_tiles
from stripscan.export.variants import CalibrationSet, make_variants
from stripscan.train.config import SmpConfig
from stripscan.train.models import build_model
from stripscan.train.recipes import RECIPES, adjusted, recipe

pytestmark = [pytest.mark.train, pytest.mark.export]

TILE_PX = 64


def graph_of(name: str) -> tuple[DeployedGraph, tuple[str, ...]]:
    config = recipe(name)
    if isinstance(config.model, SmpConfig):
        config = adjusted(config, encoder_weights="none")
    torch.manual_seed(1)
    model = build_model(config.model, classes=6).train()
    with torch.no_grad():
        model(torch.rand(4, 1, TILE_PX, TILE_PX))  # gives the norms statistics
    thresholds = [0.5] * 6
    graph = DeployedGraph(model.eval(), mean=0.45, std=0.2, thresholds=thresholds).eval()
    return graph, config.classes


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_leaves_in_every_form(name: str) -> None:
    pytest.importorskip("onnxruntime")
    graph, classes = graph_of(name)
    natural = tuple(simulated_tiles(2, TILE_PX, seed=1))
    tiles = CheckTiles(natural=natural, adversarial=(), seed=1)
    reference = reference_of(graph, tiles, classes=classes)
    made = make_variants(
        export_onnx(graph, tile_px=TILE_PX),
        reference,
        ("fp32", "fp16"),
        openvino=True,
        calibration=lambda: CalibrationSet(tiles=natural, seed=1),
    )
    forms = {variant.name: variant for variant in made}
    assert list(forms) == ["onnx fp32", "onnx fp16", "openvino fp32", "openvino fp16"]
    assert forms["onnx fp32"].draft.parity.passed
    for variant in forms.values():
        mask, _ = variant.engine().infer(np.stack(natural))
        assert np.mean(mask == np.stack(reference.masks)) > 0.97, variant.name


@pytest.mark.parametrize("name", ["strip-nano", "unet-resnet34", "fpn-resnet34"])
def test_int8_passes_or_names_the_layers(name: str) -> None:
    graph, classes = graph_of(name)
    natural = tuple(simulated_tiles(2, TILE_PX, seed=1))
    tiles = CheckTiles(natural=natural, adversarial=(), seed=1)
    made = make_variants(
        export_onnx(graph, tile_px=TILE_PX),
        reference_of(graph, tiles, classes=classes),
        ("int8",),
        openvino=False,
        calibration=lambda: CalibrationSet(tiles=natural, seed=1),
    )
    try:
        files = list(made)
    except ParityError as error:
        assert "The most sensitive are" in str(error)
        return
    assert [variant.draft.runs_on for variant in files] == ["cpu", "gpu"]
    assert all(variant.draft.parity.passed for variant in files)
