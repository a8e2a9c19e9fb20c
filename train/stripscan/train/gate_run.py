"""A run that trains a gate: pictures in, a folder with the gate and its figures out."""

import importlib.metadata
import json
import logging
from collections.abc import Callable
from pathlib import Path

from stripscan.contract.errors import StoreError
from stripscan.contract.files import write_file
from stripscan.dataset.samples import Sample
from stripscan.dataset.split import Split
from stripscan.train.checkpoint import Checkpoint, model_state
from stripscan.train.gate_examples import (
    Checked,
    Teacher,
    checked_pictures,
    clean_tiles,
    training_examples,
)
from stripscan.train.gate_file import TrainedGate, save_gate
from stripscan.train.gate_net import GateConfig, GateNet
from stripscan.train.gate_trainer import GateFigures, choose_limit, count_passed, fit
from stripscan.train.pictures import parts_of
from stripscan.train.run_folder import digest_of

GATE = "gate.safetensors"
RECORD = "gate.json"

_MIN_AREA_PX = 30
_PACKAGES = ("numpy", "torch")

logger = logging.getLogger(__name__)


def train_gate(
    checkpoint: Checkpoint,
    config: GateConfig,
    *,
    data: Path,
    split: Split,
    out: Path,
    command: str,
    on_step: Callable[[str], None],
) -> TrainedGate:
    """Train a gate for a segmenter, and write it into a run folder.

    It learns from the training part, its limit is chosen on the validation part, and what it loses
    is counted on the test part; each with simulated tiles of other seeds.

    Args:
        checkpoint: The segmenter.
        config: How it is trained.
        data: Folder with the data sets.
        split: Their division.
        out: A new folder for ``gate.safetensors`` and ``gate.json``.
        command: The command as it was typed, for the record.
        on_step: Called with what was done.

    Raises:
        DataError: Data and split do not fit, or the segmenter finds nothing in the validation.
        StoreError: The folder cannot be written.
    """
    _make(out)
    train, val, test = parts_of(data, split, ("train", "val", "test"))
    teacher = Teacher(checkpoint)
    examples = training_examples(train, teacher, config)
    on_step(f"{len(examples.image)} examples, {examples.defect.mean():.1%} of the cells defective")
    net = fit(
        examples, config, on_epoch=lambda n, loss: logger.info("epoch %d: loss %.4f", n, loss)
    )
    least_px = dict.fromkeys(checkpoint.config.classes, _MIN_AREA_PX) | checkpoint.min_area_px

    def checked(samples: list[Sample], part: int) -> list[Checked]:
        return list(checked_pictures(samples, teacher, least_px, seed=10 * config.seed + part))

    def figures(pictures: list[Checked], part: int) -> GateFigures:
        return _figures(net, limit, pictures, config, checkpoint, seed=10 * config.seed + part)

    chosen_on = checked(val, 1)
    limit = choose_limit(net, chosen_on, passed=config.passed)
    trained = TrainedGate(
        config=config,
        state=model_state(net),
        limit=limit,
        validation=figures(chosen_on, 1),
        test=figures(checked(test, 2), 2),
        data_digest=digest_of([*train, *val, *test]),
        split_digest=split.digest,
        teacher=checkpoint.config.recipe,
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        command=command,
    )
    save_gate(trained, out / GATE)
    write_file(out / RECORD, json.dumps(trained.record(), indent=2).encode() + b"\n")
    return trained


def _figures(
    net: GateNet,
    limit: float,
    pictures: list[Checked],
    config: GateConfig,
    checkpoint: Checkpoint,
    *,
    seed: int,
) -> GateFigures:
    clean = clean_tiles(config, mm_per_px=checkpoint.config.input.mm_per_px, seed=seed)
    return count_passed(net, limit, pictures, clean)


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True)
    except OSError as error:
        raise StoreError(
            f"{out}: a new folder for the run cannot be made ({error.strerror}): give another --out"
        ) from error
