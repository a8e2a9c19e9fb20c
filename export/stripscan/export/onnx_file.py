"""A deployed graph as an ONNX file."""

import logging
import warnings

import onnx
import torch
from torch.export import Dim

from stripscan.contract.graph import IMAGE, MASK, SCORE, SIZE_MULTIPLE_PX
from stripscan.export.graph import DeployedGraph

LOGITS = "logits"
"""Extra output of the file that parity is measured on; the shipped file does not have it."""

OPSET = 18

logger = logging.getLogger(__name__)


def export_onnx(graph: DeployedGraph, *, tile_px: int) -> onnx.ModelProto:
    """Return the graph as ONNX with the outputs mask, score and logits.

    Number, height and width of the images are dynamic; height and width are multiples of 32 px.

    Args:
        graph: In evaluation mode.
        tile_px: Size of the example that is traced.
    """
    example = torch.zeros(2, tile_px, tile_px + SIZE_MULTIPLE_PX, dtype=torch.uint8)
    height, width = (SIZE_MULTIPLE_PX * Dim(name, min=1, max=512) for name in ("rows", "columns"))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            graph.eval(),
            (example,),
            dynamo=True,
            input_names=[IMAGE],
            output_names=[MASK, SCORE, LOGITS],
            dynamic_shapes={"image_NHW": {0: Dim("batch", min=1, max=4096), 1: height, 2: width}},
            opset_version=OPSET,
            verbose=False,
        )
        if program is None:
            raise RuntimeError("torch.onnx.export returned no program")
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    logger.info("exported", extra={"nodes": len(model.graph.node), "opset": OPSET})
    return model


def without_logits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the file that is shipped: the same nodes, without the output for parity."""
    shipped = onnx.ModelProto()
    shipped.CopyFrom(model)
    kept = [output for output in shipped.graph.output if output.name != LOGITS]
    del shipped.graph.output[:]
    shipped.graph.output.extend(kept)
    shipped = plain(shipped)
    onnx.checker.check_model(shipped, full_check=True)
    return shipped


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without the traces of the exporter: source lines of this machine."""
    shipped = onnx.ModelProto()
    shipped.CopyFrom(model)
    for node in shipped.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del shipped.metadata_props[:]
    del shipped.graph.metadata_props[:]
    return shipped
