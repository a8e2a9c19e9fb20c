"""From a checkpoint to a verified bundle."""

import hashlib
import importlib.metadata
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from stripscan.contract.bundle import Bundle, write_bundle
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import DataError
from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.contract.manifest import (
    ClassEntry,
    Evaluation,
    Golden,
    InputSpec,
    ManifestDraft,
    ParityReport,
    Provenance,
    VariantDraft,
)
from stripscan.dataset.images import read_mono
from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import Sample
from stripscan.dataset.scoring.defects import DefectRules
from stripscan.dataset.scoring.evaluation import evaluate, unseen
from stripscan.dataset.scoring.segmented import Segment
from stripscan.dataset.split import Split, changed
from stripscan.export.graph import deployed_graph
from stripscan.export.onnx_file import export_onnx, without_logits
from stripscan.export.parity import (
    Tile,
    adversarial_tiles,
    check_parity,
    require,
    simulated_tiles,
)
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.onnxruntime import OnnxEngine
from stripscan.runtime.evaluate import SEEN_FILE, engine_segmenter
from stripscan.simulation.tiles import sample_tile
from stripscan.train.checkpoint import Checkpoint

MODEL_FILE = "model.onnx"
TILE_PX = 256
HALO_PX = 16
MIN_AREA_PX = 30
"""Smallest defect that counts in the evaluation, and that is reported where training chose none."""

PARITY_TILES = 64
GOLDEN_FRAMES = 8
_GOLDEN_AGREEMENT = 0.995

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestData:
    """Labelled images to check and to score the export on.

    Attributes:
        folder: Folder with the data sets.
        split: Its test part is scored; the images of the other parts are listed as seen.
    """

    folder: Path
    split: Split


def build_bundle(
    checkpoint: Checkpoint,
    out: Path,
    *,
    name: str,
    data: TestData | None,
    command: str,
    on_image: Callable[[], None] = lambda: None,
) -> Bundle:
    """Export a checkpoint to ONNX, check it, score it, and write the bundle.

    Args:
        checkpoint: What was trained.
        out: Where the bundle goes; a single file where it ends in ``.zip``.
        name: Name of the bundle.
        data: What to check and score on; simulated tiles are used, and nothing is scored, if None.
        command: The command as it was typed, for the record.
        on_image: Called after each image that was scored.

    Raises:
        ParityError: The exported model does not give the masks of the checkpoint.
        DataError: The data do not fit the checkpoint or the split.
        BundleError: The bundle cannot be written; what was at ``out`` is untouched.
    """
    _check_classes(checkpoint)
    if data:
        _check_split(checkpoint, data.split)
    config = checkpoint.config
    graph = deployed_graph(checkpoint)
    model = export_onnx(graph, tile_px=TILE_PX)
    samples = _test_samples(data) if data else []
    tiles = [
        *_tiles(samples, seed=config.seed),
        *adversarial_tiles(TILE_PX),
    ]
    parity = check_parity(graph, model, tiles, classes=config.classes, seed=config.seed)
    require(parity)
    shipped = without_logits(model).SerializeToString()
    engine = OnnxEngine(shipped)
    files = {MODEL_FILE: shipped}
    golden = _golden(engine, files, seed=config.seed)
    if data:
        seen = {data.split.pixels[n] for n in (*data.split.train, *data.split.val)}
        files[SEEN_FILE] = ("\n".join(sorted(seen)) + "\n").encode()
    rules = DefectRules(min_area_px=MIN_AREA_PX, mm_per_px=config.input.mm_per_px)
    segment = engine_segmenter(engine, _min_area_px(checkpoint))
    scores = _scores(segment, samples, rules, on_image) if samples else None
    draft = _draft(checkpoint, name=name, parity=parity, golden=golden, data=data, command=command)
    if scores:
        draft = draft.model_copy(update={"evaluation": scores})
    return write_bundle(out, draft, files)


def _scores(
    segment: Segment, samples: list[Sample], rules: DefectRules, on_image: Callable[[], None]
) -> Evaluation:
    evaluation = evaluate(segment, unseen(samples), rules=rules, on_image=lambda _: on_image())
    return Evaluation.model_validate(evaluation.to_json())


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


def _test_samples(data: TestData) -> list[Sample]:
    samples = find_samples(data.folder)
    changed(data.split, samples)
    wanted = set(data.split.test)
    return [sample for sample in samples if sample.name in wanted]


def _tiles(samples: list[Sample], *, seed: int) -> list[Tile]:
    """Return real images, padded to the model's sizes, or simulated tiles where there are none."""
    if not samples:
        return simulated_tiles(PARITY_TILES, TILE_PX, seed=seed)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(samples), size=min(PARITY_TILES, len(samples)), replace=False)
    tiles = []
    for index in sorted(chosen):
        image = read_mono(samples[index].image)
        sides = [(0, -side % SIZE_MULTIPLE_PX) for side in image.shape]
        tiles.append(np.pad(image, sides, mode="reflect"))
    return tiles


def _golden(engine: Engine, files: dict[str, bytes], *, seed: int) -> tuple[Golden, ...]:
    """Add simulated frames and what the exported model makes of them."""
    rng = np.random.default_rng((seed, 1))
    frames = []
    for index in range(GOLDEN_FRAMES):
        image, _ = sample_tile(rng, TILE_PX)
        mask, _ = engine.infer(image[None])
        names = f"golden/{index}.png", f"golden/{index}.mask.png"
        for file, pixels in zip(names, (image, mask[0]), strict=True):
            files[file] = cv2.imencode(".png", pixels)[1].tobytes()
        frames.append(Golden(image=names[0], mask=names[1], min_agreement=_GOLDEN_AGREEMENT))
    return tuple(frames)


def _data_digest(split: Split) -> str:
    """Return a digest of all pixels of the data, whatever the files are called."""
    return hashlib.sha256("".join(sorted(split.pixels.values())).encode()).hexdigest()[:16]


def _draft(
    checkpoint: Checkpoint,
    *,
    name: str,
    parity: ParityReport,
    golden: tuple[Golden, ...],
    data: TestData | None,
    command: str,
) -> ManifestDraft:
    config = checkpoint.config
    trained_with = checkpoint.facts.get("versions")
    versions = dict(trained_with) if isinstance(trained_with, dict) else {}
    versions |= {p: importlib.metadata.version(p) for p in ("onnx", "onnxruntime", "torch")}
    return ManifestDraft(
        name=name,
        created=datetime.now(UTC).replace(microsecond=0),
        stripscan_version=importlib.metadata.version("stripscan"),
        classes=tuple(
            ClassEntry(id=c.id, name=c.name, title=c.title, colour=c.colour, severity=c.severity)
            for c in NEU_CLASSES
        ),
        input=InputSpec(
            tile_px=TILE_PX,
            halo_px=HALO_PX,
            mm_per_px=config.input.mm_per_px,
            size_multiple_px=SIZE_MULTIPLE_PX,
        ),
        thresholds=dict(checkpoint.thresholds),
        min_area_px=_min_area_px(checkpoint),
        variants=(
            VariantDraft(
                engine="onnx", precision="fp32", file=MODEL_FILE, batch="dynamic", parity=parity
            ),
        ),
        evaluation=None,
        provenance=Provenance(
            recipe=config.recipe,
            data_digest=_data_digest(data.split) if data else "none",
            split_digest=data.split.digest if data else "none",
            seed=config.seed,
            versions=versions,
            epochs=config.epochs,
            command=command,
        ),
        golden=golden,
    )
