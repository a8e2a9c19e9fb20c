"""A trained gate as an ONNX file, checked and put into a bundle."""

import logging
import math
import warnings
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch.export import Dim

from stripscan.contract.bundle import Bundle, write_bundle
from stripscan.contract.errors import BundleError, ParityError
from stripscan.contract.graph import IMAGE, MARKS
from stripscan.contract.manifest import ManifestDraft, VariantDraft
from stripscan.contract.manifest_gate import GateDraft, GateOrigin, GateReport
from stripscan.dataset.reduction import REDUCTION, reduced
from stripscan.export.build import HALO_PX
from stripscan.export.onnx_file import OPSET, plain
from stripscan.export.tiles import Tile, adversarial_tiles, simulated_tiles
from stripscan.runtime.gate import OnnxGate
from stripscan.train.gate_file import TrainedGate
from stripscan.train.gate_net import CELL_PX, TILE_CELLS, MarkingGraph

GATE_FILE: Final = "gate.onnx"
GATED_TILE_PX: Final = TILE_CELLS * CELL_PX + 2 * HALO_PX
"""Side of the tiles that are cheapest where few are inferred; measured by benchmarks/gate.py."""

_CHECK_TILES: Final = 64
_CHECK_TILE_PX: Final = 256
_LEAST_AGREEMENT: Final = 0.999

logger = logging.getLogger(__name__)


def add_gate(bundle: Bundle, gate: TrainedGate, out: Path) -> Bundle:
    """Write a bundle with a gate; all else is as it was, but for a signature.

    Args:
        bundle: The bundle of the segmenter that the gate was trained for.
        gate: The gate, in place of one that is there.
        out: Where the new bundle goes; a single file where it ends in ``.zip``.

    Raises:
        ParityError: The exported gate does not mark the cells of the trained one.
        BundleError: The bundle cannot be written; what was at ``out`` is untouched.
    """
    graph = MarkingGraph(gate.build(), limit=gate.limit).eval()
    content = export_gate(graph)
    draft = _draft(gate)
    engine = OnnxGate(content, draft, threads=1)
    try:
        _check(graph, engine)
        marks = {
            frame.image: _text(engine.marks([_frame(bundle, frame.image)])[0])
            for frame in bundle.manifest.golden
        }
    finally:
        engine.close()
    manifest = bundle.manifest
    fields = {name: getattr(manifest, name) for name in ManifestDraft.model_fields}
    fields["variants"] = tuple(
        VariantDraft(**{name: getattr(each, name) for name in VariantDraft.model_fields})
        for each in manifest.variants
    )
    fields["gate"] = draft.model_copy(update={"golden": marks})
    before = {manifest.gate.file} if manifest.gate else set()
    files = {name: bundle.read(name) for name in manifest.files if name not in before}
    return write_bundle(out, ManifestDraft(**fields), files | {GATE_FILE: content})


def export_gate(graph: MarkingGraph) -> bytes:
    """Return the gate as ONNX; number, height and width of the images are free.

    Args:
        graph: In evaluation mode.
    """
    cell = CELL_PX // REDUCTION
    example = torch.zeros(2, 2, 8 * cell, 12 * cell, dtype=torch.uint8)
    height, width = (cell * Dim(name, min=1, max=8192) for name in ("rows", "columns"))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            input_names=[IMAGE],
            output_names=[MARKS],
            dynamic_shapes={"planes_N2HW": {0: Dim("batch", min=1, max=4096), 2: height, 3: width}},
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    shipped = plain(program.model_proto)
    onnx.checker.check_model(shipped, full_check=True)
    return bytes(shipped.SerializeToString())


def _draft(gate: TrainedGate) -> GateDraft:
    report = GateReport(
        defects=gate.test.defects,
        passed=gate.test.passed,
        clean_m2=gate.config.clean_m2,
        clean_marked=gate.test.share_clean_marked,
    )
    origin = GateOrigin(
        data_digest=gate.data_digest,
        split_digest=gate.split_digest,
        seed=gate.config.seed,
        epochs=gate.config.epochs,
        versions=gate.versions,
        command=gate.command,
    )
    return GateDraft(
        file=GATE_FILE,
        cell_px=CELL_PX,
        reduction=REDUCTION,
        threshold=1 / (1 + math.exp(-gate.limit)),
        tile_px=GATED_TILE_PX,
        report=report,
        origin=origin,
    )


def _check(graph: MarkingGraph, engine: OnnxGate) -> None:
    """Check that the file marks the cells that the trained network marks."""
    tiles = [*simulated_tiles(_CHECK_TILES, _CHECK_TILE_PX, seed=1)]
    tiles += adversarial_tiles(_CHECK_TILE_PX)
    wanted = [_marks(graph, tile) for tile in tiles]
    same = [float(np.mean(a == b)) for a, b in zip(wanted, engine.marks(tiles), strict=True)]
    agreement = float(np.mean(same))
    logger.info("gate exported", extra={"agreement": agreement})
    if agreement < _LEAST_AGREEMENT:
        raise ParityError(
            f"the exported gate marks the cells of the trained one on {agreement:.2%} of "
            f"{len(tiles)} tiles' cells, {_LEAST_AGREEMENT:.1%} must agree. No bundle was written"
        )


@torch.inference_mode()
def _marks(graph: MarkingGraph, tile: Tile) -> NDArray[np.bool_]:
    planes = torch.from_numpy(reduced(tile))
    return np.asarray(graph(planes[None])[0].numpy(), np.bool_)


def _text(marks: NDArray[np.bool_]) -> str:
    return "/".join("".join("1" if cell else "0" for cell in row) for row in marks)


def _frame(bundle: Bundle, name: str) -> Tile:
    decoded = cv2.imdecode(np.frombuffer(bundle.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
    if decoded is None:
        raise BundleError(f"{bundle.path}: {name} is not a picture")
    return np.asarray(decoded, np.uint8)
