"""Holds an exported file against its checkpoint, tile by tile, before it is accepted."""

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from stripscan.contract.errors import ParityError
from stripscan.contract.graph import IMAGE, MASK, SCORE
from stripscan.contract.manifest import ParityReport
from stripscan.export.graph import DeployedGraph
from stripscan.export.onnx_file import LOGITS
from stripscan.simulation.tiles import sample_tile

MAX_ERROR_OF_SCALE = 1e-4
"""Largest error of a logit, as a share of the largest logit: fp32 kernels differ by rounding."""

MIN_AGREEMENT = 0.9999
"""Least share of pixels with the same class: only ties between classes may fall otherwise."""

Tile = NDArray[np.uint8]


def adversarial_tiles(size_px: int) -> list[Tile]:
    """Return tiles that betray wrong preprocessing: constant, saturated, noise, ramps, edges."""
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(0, 255, size_px).astype(np.uint8), (size_px, 1))
    half = np.zeros((size_px, size_px), np.uint8)
    half[:, size_px // 2 :] = 255
    return [
        *(np.full((size_px, size_px), grey, np.uint8) for grey in (0, 1, 127, 128, 254, 255)),
        rng.integers(0, 256, (size_px, size_px), dtype=np.uint8),
        ramp,
        np.ascontiguousarray(ramp.T),
        half,
    ]


def simulated_tiles(count: int, size_px: int, *, seed: int) -> list[Tile]:
    """Return tiles of simulated strip, most of them with defects."""
    rng = np.random.default_rng(seed)
    return [sample_tile(rng, size_px)[0] for _ in range(count)]


def check_parity(
    graph: DeployedGraph,
    model: onnx.ModelProto,
    tiles: Sequence[Tile],
    *,
    classes: Sequence[str],
    seed: int,
) -> ParityReport:
    """Compare the file with the graph it was made from.

    Args:
        graph: The checkpoint's graph, in evaluation mode.
        model: The ONNX file with the output for logits.
        tiles: uint8 tiles, sides multiples of 32; they may differ in size.
        classes: Class names in the order of their ids from 1.
        seed: Seed that the tiles were chosen with, for the report.
    """
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    error = scale = 0.0
    same = pixels = 0
    both = np.zeros(len(classes) + 1, np.int64)
    either = np.zeros_like(both)
    for tile in tiles:
        with torch.no_grad():
            wanted_mask, _, wanted_logits = (t.numpy() for t in graph(torch.from_numpy(tile[None])))
        mask, _, logits = session.run([MASK, SCORE, LOGITS], {IMAGE: tile[None]})
        error = max(error, float(np.abs(logits - wanted_logits).max()))
        scale = max(scale, float(np.abs(wanted_logits).max()))
        same += int(np.sum(mask == wanted_mask))
        pixels += mask.size
        for number in range(1, len(classes) + 1):
            both[number] += np.sum((mask == number) & (wanted_mask == number))
            either[number] += np.sum((mask == number) | (wanted_mask == number))
    agreement = same / pixels
    return ParityReport(
        tiles=len(tiles),
        max_abs_logit_error=error,
        logit_scale=scale,
        mask_agreement=agreement,
        per_class_iou={
            name: float(both[i] / either[i]) if either[i] else None
            for i, name in enumerate(classes, start=1)
        },
        passed=error <= MAX_ERROR_OF_SCALE * max(scale, 1.0) and agreement >= MIN_AGREEMENT,
        seed=seed,
    )


def require(report: ParityReport) -> None:
    """Refuse a file that is not what was trained.

    Raises:
        ParityError: The report did not pass.
    """
    if not report.passed:
        limit = MAX_ERROR_OF_SCALE * max(report.logit_scale, 1.0)
        raise ParityError(
            f"the exported model differs from its checkpoint on {report.tiles} tiles: logits by "
            f"{report.max_abs_logit_error:.3g} (at most {limit:.3g} is rounding), "
            f"{report.mask_agreement:.4%} of the pixels have the same class (at least "
            f"{MIN_AGREEMENT:.2%} must). No bundle was written"
        )
