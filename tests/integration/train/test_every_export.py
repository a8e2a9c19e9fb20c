"""Every recipe leaves in every form, with random weights: each passes its gate or is refused."""

from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("segmentation_models_pytorch")

from stripscan.contract.errors import ParityError
from stripscan.export.graph import DeployedGraph
from stripscan.export.onnx_file import export_onnx
from stripscan.export.parity import Precision, Reference, reference_of
from stripscan.export.tiles import CheckTiles, simulated_tiles
from stripscan.export.variants import CalibrationSet, Made, make_variants, require
from stripscan.train.config import SmpConfig
from stripscan.train.models import build_model
from stripscan.train.recipes import RECIPES, adjusted, recipe

pytestmark = [pytest.mark.train, pytest.mark.export]

TILE_PX = 64


@dataclass(frozen=True)
class Exported:
    model: onnx.ModelProto
    reference: Reference

    def variants(self, *precisions: Precision, openvino: bool) -> list[Made]:
        natural = self.reference.tiles.natural
        return list(
            make_variants(
                self.model,
                self.reference,
                precisions,
                openvino=openvino,
                calibration=lambda: CalibrationSet(tiles=natural, seed=1),
            )
        )


@pytest.fixture(scope="module", params=sorted(RECIPES))
def exported(request: pytest.FixtureRequest) -> Exported:
    config = recipe(request.param)
    if isinstance(config.model, SmpConfig):
        config = adjusted(config, encoder_weights="none")
    torch.manual_seed(1)
    model = build_model(config.model, classes=6).train()
    with torch.no_grad():
        model(torch.rand(4, 1, TILE_PX, TILE_PX))  # gives the norms statistics
    graph = DeployedGraph(model.eval(), mean=0.45, std=0.2, thresholds=[0.5] * 6).eval()
    tiles = CheckTiles(natural=tuple(simulated_tiles(2, TILE_PX, seed=1)), adversarial=(), seed=1)
    return Exported(
        model=export_onnx(graph, tile_px=TILE_PX),
        reference=reference_of(graph, tiles, classes=config.classes),
    )


def test_a_recipe_leaves_in_every_form(exported: Exported) -> None:
    pytest.importorskip("onnxruntime")
    made = exported.variants("fp32", "fp16", openvino=True)
    forms = {variant.name: variant for variant in made}
    assert list(forms) == ["onnx fp32", "onnx fp16", "openvino fp32", "openvino fp16"]
    assert forms["onnx fp32"].draft.parity.passed
    natural = np.stack(exported.reference.tiles.natural)
    for variant in forms.values():
        mask, _ = variant.engine().infer(natural)
        assert np.mean(mask == np.stack(exported.reference.masks)) > 0.97, variant.name


def test_int8_passes_or_names_the_layers(exported: Exported) -> None:
    files = exported.variants("int8", openvino=False)
    assert [variant.draft.runs_on for variant in files] == ["cpu", "gpu"]
    for variant in files:
        if variant.draft.parity.passed:
            require(variant)
        else:
            with pytest.raises(ParityError, match="The most sensitive are"):
                require(variant)
