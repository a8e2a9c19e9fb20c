"""A small network whose masks are about something, as the export sees it."""

import onnx
import torch

from stripscan.export.graph import DeployedGraph
from stripscan.export.onnx_file import export_onnx
from stripscan.export.parity import Reference, reference_of
from stripscan.export.tiles import CheckTiles, adversarial_tiles, simulated_tiles
from stripscan.train.models import build_model
from unit.train.train_samples import TINY, tiny_config

CLASSES = tiny_config().classes
TILE_PX = 64
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.9)


def lively_graph() -> DeployedGraph:
    torch.manual_seed(5)
    net = build_model(TINY, classes=6).train()
    with torch.no_grad():
        for _ in range(20):
            net(torch.randn(4, 1, 64, 64))  # gives the norms statistics, the logits a spread
        net.head.weight *= 8
        net.head.bias.zero_()
    return DeployedGraph(net.eval(), mean=0.45, std=0.2, thresholds=list(THRESHOLDS)).eval()


def lively_model(graph: DeployedGraph) -> onnx.ModelProto:
    return export_onnx(graph, tile_px=TILE_PX)


def few_tiles(natural: int = 4) -> CheckTiles:
    return CheckTiles(
        natural=tuple(simulated_tiles(natural, TILE_PX, seed=2)),
        adversarial=tuple(adversarial_tiles(96)),
        seed=2,
    )


def lively_reference(graph: DeployedGraph) -> Reference:
    return reference_of(graph, few_tiles(), classes=CLASSES)
