"""Holds an exported file against its checkpoint, tile by tile, before it is accepted."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions

from stripscan.contract.graph import IMAGE, MASK
from stripscan.contract.manifest import ParityReport
from stripscan.dataset.scoring.defects import DefectRules, components
from stripscan.export.graph import DeployedGraph
from stripscan.export.onnx_file import LOGITS
from stripscan.export.tiles import CheckTiles, Tile
from stripscan.runtime.engines.onnxruntime import ERRORS_ONLY

Precision = Literal["fp32", "fp16", "int8"]
Logits = NDArray[np.floating]

_RULES: Final = DefectRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a file of one precision must keep to.

    Attributes:
        max_error: Largest error of a logit, as a share of the largest logit.
        mean_error: Mean error of the logits, as such a share.
        agreement: Least share of the pixels of natural tiles with the same class.
        adversarial_agreement: The same of adversarial tiles.
        iou: Least IoU of the two masks of a class that the checkpoint sees on natural tiles.
        defects: Largest share of whole defects that are missed, and that are invented.
    """

    max_error: float | None = None
    mean_error: float | None = None
    agreement: float
    adversarial_agreement: float
    iou: float
    defects: float


LIMITS: Final[dict[Precision, Limits]] = {
    # Kernels in fp32 differ by rounding: only ties between classes may fall otherwise.
    "fp32": Limits(
        max_error=1e-4, agreement=0.9999, adversarial_agreement=0.999, iou=0.99, defects=0.0
    ),
    "fp16": Limits(
        mean_error=1e-3, agreement=0.999, adversarial_agreement=0.99, iou=0.97, defects=0.01
    ),
    # An int8 file may see noise otherwise: it was calibrated on metal, and metal is what counts.
    "int8": Limits(agreement=0.995, adversarial_agreement=0.9, iou=0.9, defects=0.03),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a checkpoint makes of the tiles.

    Attributes:
        tiles: The tiles.
        masks: uint8 ``[H, W]`` for each, natural tiles first.
        logits: float32 ``[C, H, W]`` for each.
        classes: Names in the order of the ids from 1.
    """

    tiles: CheckTiles
    masks: tuple[Tile, ...]
    logits: tuple[Logits, ...]
    classes: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[Tile, Tile, Logits]]:
        """Yield each tile with its mask and logits."""
        both = (*self.tiles.natural, *self.tiles.adversarial)
        return zip(both, self.masks, self.logits, strict=True)


Run = Callable[[Tile], tuple[Tile, Logits | None]]
"""Maps a tile ``[H, W]`` to its mask, and to its logits ``[C, H, W]`` where the file gives them."""


def reference_of(graph: DeployedGraph, tiles: CheckTiles, *, classes: Sequence[str]) -> Reference:
    """Run a checkpoint's graph, in evaluation mode, over the tiles."""
    masks, logits = [], []
    for tile in (*tiles.natural, *tiles.adversarial):
        with torch.no_grad():
            mask_NHW, _, logits_NCHW = graph(torch.from_numpy(tile[None]))
        masks.append(mask_NHW[0].numpy())
        logits.append(logits_NCHW[0].numpy())
    return Reference(tiles=tiles, masks=tuple(masks), logits=tuple(logits), classes=tuple(classes))


def onnx_run(model: onnx.ModelProto) -> Run:
    """Return what runs an ONNX file, with its logits where it has that output, on the CPU."""
    options = SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    session = InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    outputs = [o.name for o in session.get_outputs() if o.name in {MASK, LOGITS}]

    def run(tile: Tile) -> tuple[Tile, Logits | None]:
        found = dict(zip(outputs, session.run(outputs, {IMAGE: tile[None]}), strict=True))
        return found[MASK][0], found[LOGITS][0] if LOGITS in found else None

    return run


def check_parity(reference: Reference, run: Run, precision: Precision) -> ParityReport:
    """Compare a file with the checkpoint it was made from.

    Args:
        reference: What the checkpoint makes of the tiles.
        run: Runs the file.
        precision: Which limits it must keep to.
    """
    count = _Count(len(reference.classes))
    for number, (tile, mask, logits) in enumerate(reference):
        natural = number < len(reference.tiles.natural)
        count.add(mask, logits, *run(tile), natural=natural)
    return count.report(reference, LIMITS[precision])


class _Count:
    """Sums over tiles."""

    def __init__(self, classes: int) -> None:
        self.error = self.total_error = self.scale = 0.0
        self.logits = 0
        self.same = {True: 0, False: 0}
        self.pixels = {True: 0, False: 0}
        self.both, self.either = np.zeros((2, classes + 1), np.int64)
        self.defects = self.missed = self.found = self.invented = 0

    def add(
        self,
        wanted: Tile,
        wanted_logits: Logits,
        mask: Tile,
        logits: Logits | None,
        *,
        natural: bool,
    ) -> None:
        self.scale = max(self.scale, float(np.abs(wanted_logits).max()))
        if logits is not None:
            errors = np.abs(logits.astype(np.float32) - wanted_logits)
            # NaN would pass any limit that it is compared with.
            errors = np.nan_to_num(errors, nan=np.inf, posinf=np.inf)
            self.error = max(self.error, float(errors.max()))
            self.total_error += float(errors.sum())
            self.logits += errors.size
        self.same[natural] += int(np.sum(mask == wanted))
        self.pixels[natural] += mask.size
        if not natural:
            return
        for number in range(1, len(self.both)):
            self.both[number] += np.sum((mask == number) & (wanted == number))
            self.either[number] += np.sum((mask == number) | (wanted == number))
        defects, missed = _unmatched(wanted, mask)
        found, invented = _unmatched(mask, wanted)
        self.defects, self.missed = self.defects + defects, self.missed + missed
        self.found, self.invented = self.found + found, self.invented + invented

    def report(self, reference: Reference, limits: Limits) -> ParityReport:
        scale = max(self.scale, 1.0)
        error, mean_error = self.error, self.total_error / max(self.logits, 1)
        agreement, adversarial = (
            self.same[natural] / self.pixels[natural] if self.pixels[natural] else 1.0
            for natural in (True, False)
        )
        ious = {
            name: float(self.both[i] / self.either[i]) if self.either[i] else None
            for i, name in enumerate(reference.classes, start=1)
        }
        passed = (
            (limits.max_error is None or error <= limits.max_error * scale)
            and (limits.mean_error is None or mean_error <= limits.mean_error * scale)
            and agreement >= limits.agreement
            and adversarial >= limits.adversarial_agreement
            and all(iou is None or iou >= limits.iou for iou in ious.values())
            and self.missed <= limits.defects * self.defects
            and self.invented <= limits.defects * self.found
        )
        return ParityReport(
            tiles=len(reference.tiles),
            max_abs_logit_error=error if self.logits and np.isfinite(error) else None,
            mean_abs_logit_error=mean_error if self.logits and np.isfinite(mean_error) else None,
            logit_scale=self.scale,
            mask_agreement=agreement,
            adversarial_agreement=adversarial,
            per_class_iou=ious,
            defects=self.defects,
            defects_missed=self.missed,
            defects_invented=self.invented,
            passed=passed,
            seed=reference.tiles.seed,
        )


def _unmatched(mask: Tile, other: Tile) -> tuple[int, int]:
    """Return how many defects a mask has, and of how many the other has too little."""
    numbers, areas = components(mask > 0)
    hit = np.bincount(numbers[other > 0], minlength=len(areas))
    large = areas >= _RULES.min_area_px
    return int(large.sum()), int(np.sum(large & (hit < _RULES.overlap * areas)))


def told(report: ParityReport) -> str:
    """Return a report as half a sentence."""
    ious = [(iou, name) for name, iou in report.per_class_iou.items() if iou is not None]
    parts = [f"{report.mask_agreement:.4%} of the pixels have the same class"]
    if report.max_abs_logit_error is not None:
        parts.append(
            f"logits differ by up to {report.max_abs_logit_error:.3g} of {report.logit_scale:.3g}"
        )
    if ious:
        iou, name = min(ious)
        parts.append(f"the least IoU is {iou:.3f}, of {name}")
    parts.append(
        f"of {report.defects} defects {report.defects_missed} are missed, "
        f"{report.defects_invented} are invented"
    )
    return ", ".join(parts)
