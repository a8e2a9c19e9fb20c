"""The forms of a model that go into a bundle, each made and held against the checkpoint."""

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from onnx import ModelProto

from stripscan.contract.errors import ParityError
from stripscan.contract.manifest import Calibration, ParityReport, VariantDraft
from stripscan.export.fp16 import to_fp16
from stripscan.export.int8 import Device, convolutions, measure_ranges, quantise, with_shapes
from stripscan.export.onnx_file import without_logits
from stripscan.export.openvino_file import to_openvino
from stripscan.export.parity import Precision, Reference, check_parity, onnx_run, told
from stripscan.export.sensitivity import Group, most_harmful_first, quantise_until_passed
from stripscan.export.tiles import Tile, pixels_digest
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.onnxruntime import OnnxEngine
from stripscan.runtime.engines.openvino import OpenvinoEngine

FP32_FILE: Final = "model.onnx"
FP16_FILE: Final = "model.fp16.onnx"

_HARM_TILES: Final = 12
"""On so many tiles the harm of one convolution in int8 is judged."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A variant that passed, or that failed and is kept for a look.

    Attributes:
        draft: What the manifest says of it; its parity report is there.
        files: Its files as they are shipped, by name.
        trouble: Where it failed, what is known beside the report.
    """

    draft: VariantDraft
    files: Mapping[str, bytes]
    trouble: str = ""

    @property
    def name(self) -> str:
        """What a user calls it."""
        device = "" if self.draft.runs_on == "any" else f" for the {self.draft.runs_on.upper()}"
        return f"{self.draft.engine} {self.draft.precision}{device}"

    def engine(self) -> Engine:
        """Return what runs it on this machine's CPU."""
        content = self.files[self.draft.file]
        if self.draft.engine == "openvino":
            return OpenvinoEngine(content, self.files[str(self.draft.weights)])
        return OnnxEngine(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSet:
    """The tiles that int8 ranges are measured on.

    Attributes:
        tiles: uint8, all of one size.
        seed: Seed of their choice.
    """

    tiles: Sequence[Tile]
    seed: int


def make_variants(
    model: ModelProto,
    reference: Reference,
    precisions: Sequence[Precision],
    *,
    openvino: bool,
    calibration: Callable[[], CalibrationSet],
) -> Iterator[Made]:
    """Yield the files of a model, each with its parity report.

    Args:
        model: From ``export_onnx``, in float32 and with its logits.
        reference: What the checkpoint makes of the tiles.
        precisions: Which to make.
        openvino: Whether to make OpenVINO's representation as well, in floating point: its int8
            is slower than ONNX Runtime's here, and both read the same ONNX file.
        calibration: Gives the tiles to measure int8 ranges on; called where int8 is made.
    """
    if "fp32" in precisions:
        yield _made(model, "fp32", FP32_FILE, reference)
    if "fp16" in precisions:
        yield _made(to_fp16(model), "fp16", FP16_FILE, reference)
    if "int8" in precisions:
        yield from _int8(model, reference, calibration())
    for precision in precisions:
        if openvino and precision != "int8":
            yield _openvino(model, precision, reference)


def _made(model: ModelProto, precision: Precision, file: str, reference: Reference) -> Made:
    parity = check_parity(reference, onnx_run(model), precision)
    draft = VariantDraft(
        engine="onnx", precision=precision, file=file, batch="dynamic", parity=parity
    )
    return Made(draft=draft, files={file: without_logits(model).SerializeToString()})


def _openvino(model: ModelProto, precision: Precision, reference: Reference) -> Made:
    half = precision == "fp16"
    stem = "model.fp16" if half else "model"
    xml, weights = to_openvino(without_logits(model), fp16_weights=half)
    engine = OpenvinoEngine(xml, weights)

    def run(tile: Tile) -> tuple[Tile, None]:
        return engine.infer(tile[None])[0][0], None

    draft = VariantDraft(
        engine="openvino",
        precision=precision,
        file=f"{stem}.xml",
        weights=f"{stem}.bin",
        batch="dynamic",
        parity=check_parity(reference, run, precision),
    )
    return Made(draft=draft, files={f"{stem}.xml": xml, f"{stem}.bin": weights})


def _int8(model: ModelProto, reference: Reference, calibration: CalibrationSet) -> Iterator[Made]:
    model = with_shapes(model)
    ranges = measure_ranges(model, calibration.tiles)
    nodes = convolutions(model)
    devices: tuple[Device, ...] = ("cpu", "gpu")

    @functools.cache
    def ranked() -> tuple[Group, ...]:
        # What int8 harms, it harms under both schemes.
        return most_harmful_first(
            nodes,
            lambda chosen: quantise(model, ranges, "cpu", nodes=chosen),
            lambda candidate: _harm(candidate, reference),
        )

    for device in devices:

        def at(chosen: Sequence[str], device: Device = device) -> ModelProto:
            return quantise(model, ranges, device, nodes=chosen)

        def check(candidate: ModelProto) -> ParityReport:
            return check_parity(reference, onnx_run(candidate), "int8")

        found = quantise_until_passed(nodes, at, check, ranked)
        file = f"model.int8-{device}.onnx"
        draft = VariantDraft(
            engine="onnx",
            precision="int8",
            runs_on=device,
            file=file,
            batch="dynamic",
            parity=found.parity,
            calibration=Calibration(
                tiles=len(calibration.tiles),
                digest=pixels_digest(calibration.tiles),
                seed=calibration.seed,
            ),
            kept_float=found.kept_float,
        )
        content = without_logits(found.model).SerializeToString()
        yield Made(draft=draft, files={file: content}, trouble=found.trouble)


def _harm(candidate: ModelProto, reference: Reference) -> float:
    """Return how many pixels of a few tiles fall into another class."""
    run = onnx_run(candidate)
    chosen = list(reference)[:_HARM_TILES]
    return float(sum(np.sum(run(tile)[0] != mask) for tile, mask, _ in chosen))


def require(made: Made) -> None:
    """Refuse a file that is not what was trained.

    Raises:
        ParityError: Its parity report did not pass.
    """
    parity = made.draft.parity
    if parity is not None and not parity.passed:
        found = made.trouble or f"on {parity.tiles} tiles: {told(parity)}"
        raise ParityError(
            f"{made.name} differs from its checkpoint {found}. "
            "No bundle was written; --keep-failing FOLDER keeps the file for a look"
        )
