"""From a checkpoint to a verified bundle."""

import hashlib
import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import onnx

from stripscan.contract.bundle import Bundle, write_bundle
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import DataError, ParityError
from stripscan.contract.files import write_file
from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.contract.manifest import (
    ClassEntry,
    Evaluation,
    Golden,
    InputSpec,
    ManifestDraft,
    Provenance,
)
from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import Sample
from stripscan.dataset.scoring.defects import DefectRules
from stripscan.dataset.split import Split, changed
from stripscan.export.conformance import tensorrt_problems
from stripscan.export.graph import deployed_graph
from stripscan.export.onnx_file import export_onnx
from stripscan.export.parity import Precision, reference_of
from stripscan.export.scores import headlines, require_scores, scored
from stripscan.export.tiles import CALIBRATION_TILES, PARITY_TILES, calibration_tiles, check_tiles
from stripscan.export.variants import CalibrationSet, Made, make_variants, require
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.evaluate import SEEN_FILE
from stripscan.simulation.tiles import sample_tile
from stripscan.train.checkpoint import Checkpoint

TILE_PX: Final = 256
HALO_PX: Final = 16
MIN_AREA_PX: Final = 30
"""Smallest defect that counts in the evaluation, and that is reported where training chose none."""

GOLDEN_FRAMES: Final = 8
_GOLDEN_AGREEMENT: Final = 0.995
_GOLDEN_MARGIN: Final = 0.005
"""Another machine rounds otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestData:
    """Labelled images to check and to score the export on.

    Attributes:
        folder: Folder with the data sets.
        split: Its test part is scored; ranges of int8 are measured on its training part, and the
            images of the other parts are listed as seen.
    """

    folder: Path
    split: Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to make, and how closely to look.

    Attributes:
        precisions: Forms of the model; golden frames and the evaluation are of the first.
        openvino: Whether to make OpenVINO's representation beside ONNX.
        tensorrt: Whether the ONNX files must be what TensorRT's parser takes.
        tile_px: Side of a tile in px.
        parity_tiles: How many natural tiles the parity gate looks at.
        calibration_tiles: On how many real tiles int8 ranges are measured.
        keep_failing: Folder for a file that does not pass.
    """

    precisions: tuple[Precision, ...] = ("fp32",)
    openvino: bool = False
    tensorrt: bool = False
    tile_px: int = TILE_PX
    parity_tiles: int = PARITY_TILES
    calibration_tiles: int = CALIBRATION_TILES
    keep_failing: Path | None = None


def build_bundle(
    checkpoint: Checkpoint,
    out: Path,
    *,
    name: str,
    data: TestData | None,
    command: str,
    plan: Plan | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Export a checkpoint, check and score every file of it, and write the bundle.

    Args:
        checkpoint: What was trained.
        out: Where the bundle goes; a single file where it ends in ``.zip``.
        name: Name of the bundle.
        data: What to check and score on; simulated tiles are used, and nothing is scored, if None.
        command: The command as it was typed, for the record.
        plan: What to make; one ONNX file in float32 if None.
        on_step: Called with what was done, which may have taken minutes.

    Raises:
        ParityError: An exported file does not give the masks of the checkpoint.
        DataError: The data do not fit the checkpoint or the split.
        BundleError: The bundle cannot be written; what was at ``out`` is untouched.
    """
    plan = plan or Plan()
    _check_classes(checkpoint)
    test, train = _samples(checkpoint, data) if data else ([], [])
    variants = _passing(checkpoint, plan, test, train, on_step)
    engines = [made.engine() for made in variants]
    evaluation = None
    if test:
        variants, evaluation = _scored(variants, engines, checkpoint, test, on_step)
    files = {name: content for made in variants for name, content in made.files.items()}
    golden = _golden(engines, files, tile_px=plan.tile_px, seed=checkpoint.config.seed)
    if data:
        seen = {data.split.pixels[n] for n in (*data.split.train, *data.split.val)}
        files[SEEN_FILE] = ("\n".join(sorted(seen)) + "\n").encode()
    draft = ManifestDraft(
        name=name,
        created=datetime.now(UTC).replace(microsecond=0),
        stripscan_version=importlib.metadata.version("stripscan"),
        classes=tuple(
            ClassEntry(id=c.id, name=c.name, title=c.title, colour=c.colour, severity=c.severity)
            for c in NEU_CLASSES
        ),
        input=InputSpec(
            tile_px=plan.tile_px,
            halo_px=HALO_PX,
            mm_per_px=checkpoint.config.input.mm_per_px,
            size_multiple_px=SIZE_MULTIPLE_PX,
        ),
        thresholds=dict(checkpoint.thresholds),
        min_area_px=_min_area_px(checkpoint),
        variants=tuple(made.draft for made in variants),
        evaluation=evaluation,
        provenance=_provenance(checkpoint, data, command),
        golden=golden,
    )
    return write_bundle(out, draft, files)


def _passing(
    checkpoint: Checkpoint,
    plan: Plan,
    test: Sequence[Sample],
    train: Sequence[Sample],
    on_step: Callable[[str], None],
) -> list[Made]:
    """Make the variants and hold each against the checkpoint."""
    config = checkpoint.config
    graph = deployed_graph(checkpoint)
    tiles = check_tiles(test, plan.tile_px, seed=config.seed, count=plan.parity_tiles)
    reference = reference_of(graph, tiles, classes=config.classes)

    def calibration() -> CalibrationSet:
        chosen = calibration_tiles(
            train, plan.tile_px, seed=config.seed, count=plan.calibration_tiles
        )
        return CalibrationSet(tiles=chosen, seed=config.seed)

    model = export_onnx(graph, tile_px=plan.tile_px)
    passed = []
    for made in make_variants(
        model, reference, plan.precisions, openvino=plan.openvino, calibration=calibration
    ):
        try:
            require(made)
            if plan.tensorrt:
                _require_tensorrt(made)
        except ParityError:
            if plan.keep_failing:
                plan.keep_failing.mkdir(parents=True, exist_ok=True)
                for file, content in made.files.items():
                    write_file(plan.keep_failing / file, content)
            raise
        on_step(f"{made.name}: gives the masks of the checkpoint")
        passed.append(made)
    return passed


def _require_tensorrt(made: Made) -> None:
    """Refuse a file for GPUs that TensorRT's parser would not take."""
    if made.draft.engine != "onnx" or made.draft.runs_on == "cpu":
        return
    problems = tensorrt_problems(onnx.load_from_string(made.files[made.draft.file]))
    if problems:
        raise ParityError(f"{made.name}: TensorRT does not take it: {problems[0]}")


def _scored(
    variants: Sequence[Made],
    engines: Sequence[Engine],
    checkpoint: Checkpoint,
    test: Sequence[Sample],
    on_step: Callable[[str], None],
) -> tuple[list[Made], Evaluation]:
    """Return the variants with their scores, and the whole evaluation of the first."""
    rules = DefectRules(min_area_px=MIN_AREA_PX, mm_per_px=checkpoint.config.input.mm_per_px)
    smallest = _min_area_px(checkpoint)
    found, evaluations = [], []
    for made, engine in zip(variants, engines, strict=True):
        evaluations.append(scored(engine, test, smallest, rules))
        scores = headlines(evaluations[-1])
        require_scores(made.name, scores, headlines(evaluations[0]))
        on_step(f"{made.name}: scored on {len(test)} test images")
        found.append(replace(made, draft=made.draft.model_copy(update={"scores": scores})))
    return found, evaluations[0]


def _min_area_px(checkpoint: Checkpoint) -> dict[str, int]:
    return dict.fromkeys(checkpoint.config.classes, MIN_AREA_PX) | checkpoint.min_area_px


def _check_classes(checkpoint: Checkpoint) -> None:
    known = tuple(c.name for c in NEU_CLASSES)
    if checkpoint.config.classes != known:
        raise DataError(
            f"the checkpoint has the classes {', '.join(checkpoint.config.classes)}; "
            f"a bundle needs {', '.join(known)}, in this order"
        )


def _check_split(checkpoint: Checkpoint, split: Split) -> None:
    trained = checkpoint.facts.get("split_digest")
    if trained != split.digest:
        raise DataError(
            f"the checkpoint was trained with split {trained}, --split is {split.digest}: its test "
            "part may hold images of the training; give the split.json of the run folder"
        )


def _samples(checkpoint: Checkpoint, data: TestData) -> tuple[list[Sample], list[Sample]]:
    """Return the images of the test part and of the training part."""
    _check_split(checkpoint, data.split)
    samples = find_samples(data.folder)
    changed(data.split, samples)
    parts = (set(data.split.test), set(data.split.train))
    test, train = ([s for s in samples if s.name in wanted] for wanted in parts)
    return test, train


def _golden(
    engines: Sequence[Engine], files: dict[str, bytes], *, tile_px: int, seed: int
) -> tuple[Golden, ...]:
    """Add simulated frames and what the first engine makes of them.

    Every variant must pass them, so they ask for no more than the least exact one reached here.
    """
    rng = np.random.default_rng((seed, 1))
    frames = []
    for index in range(GOLDEN_FRAMES):
        image, _ = sample_tile(rng, tile_px)
        mask, *others = (engine.infer(image[None])[0][0] for engine in engines)
        names = f"golden/{index}.png", f"golden/{index}.mask.png"
        for file, pixels in zip(names, (image, mask), strict=True):
            files[file] = cv2.imencode(".png", pixels)[1].tobytes()
        reached = min((float(np.mean(other == mask)) for other in others), default=1.0)
        agreement = min(_GOLDEN_AGREEMENT, max(reached - _GOLDEN_MARGIN, 0.0))
        frames.append(Golden(image=names[0], mask=names[1], min_agreement=agreement))
    return tuple(frames)


def _data_digest(split: Split) -> str:
    """Return a digest of all pixels of the data, whatever the files are called."""
    return hashlib.sha256("".join(sorted(split.pixels.values())).encode()).hexdigest()[:16]


def _provenance(checkpoint: Checkpoint, data: TestData | None, command: str) -> Provenance:
    trained_with = checkpoint.facts.get("versions")
    versions = dict(trained_with) if isinstance(trained_with, dict) else {}
    versions |= {p: importlib.metadata.version(p) for p in ("onnx", "onnxruntime", "torch")}
    return Provenance(
        recipe=checkpoint.config.recipe,
        data_digest=_data_digest(data.split) if data else "none",
        split_digest=data.split.digest if data else "none",
        seed=checkpoint.config.seed,
        versions=versions,
        epochs=checkpoint.config.epochs,
        command=command,
    )
