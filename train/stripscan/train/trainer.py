"""A training run, from a data folder to a run folder."""

import importlib.metadata
import logging
import signal
import warnings
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from stripscan.contract.errors import ConfigError, DataError
from stripscan.contract.files import atomic_write
from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import Sample
from stripscan.dataset.split import (
    Split,
    best_label,
    changed,
    leaked,
    match_sources,
    write_split,
)
from stripscan.train.checkpoint import Checkpoint, load_checkpoint, model_state, save_checkpoint
from stripscan.train.config import TrainConfig
from stripscan.train.examples import Example, TrainExamples, ValidationExamples, clean_metal
from stripscan.train.models import gflop, parameters_m
from stripscan.train.module import SegmentationModule
from stripscan.train.thresholds import choose_thresholds

CHECKPOINT = "checkpoint.safetensors"
SPLIT = "split.json"

logger = logging.getLogger(__name__)


class _Epochs(Callback):
    """Gives each epoch its own random tiles."""

    def __init__(self, examples: TrainExamples) -> None:
        self._examples = examples

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, _module: lightning.LightningModule
    ) -> None:
        """Hand the number of the epoch to the examples."""
        self._examples.set_epoch(trainer.current_epoch)


class _BestAverage(Callback):
    """Keeps the averaged weights of the best epoch on disk, whole at any moment."""

    def __init__(self, path: Path, facts: dict[str, object]) -> None:
        self._path = path
        self._facts = facts
        self._best = -1.0

    def on_validation_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Write a checkpoint where this epoch is the best so far."""
        if not isinstance(module, SegmentationModule) or trainer.sanity_checking:
            return
        dice = float(trainer.callback_metrics["val_dice"])
        if dice <= self._best:
            return
        self._best = dice
        save_checkpoint(
            Checkpoint(
                config=module.config,
                state=model_state(module.average.module),
                thresholds=dict.fromkeys(module.config.classes, 0.5),
                facts={**self._facts, "epoch": trainer.current_epoch + 1, "val_dice": dice},
            ),
            self._path,
        )


def train(
    config: TrainConfig, *, data: Path, out: Path, split: Split, progress: bool = True
) -> Checkpoint:
    """Train a recipe and write a run folder.

    The folder holds ``config.json``, ``split.json``, ``metrics.csv`` and the checkpoint of the
    epoch with the best Dice on validation, with its thresholds.

    Args:
        config: The resolved recipe.
        data: Folder with the data sets.
        out: Folder of the run; it must be new or empty.
        split: What to train on and what to choose by; its test part is not looked at.
        progress: Show a progress bar.

    Raises:
        ConfigError: ``out`` already holds something.
        DataError: Data and split do not fit, the split leaks, or a part of it is empty.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty: name a new folder for the run")
    train_samples, val_samples = _chosen(data, split)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    examples = TrainExamples(train_samples, config)
    batches = DataLoader(
        examples,
        batch_size=config.data.batch,
        shuffle=True,
        drop_last=len(examples) > config.data.batch,
        num_workers=config.data.workers,
    )
    validation = ValidationExamples(val_samples, config)
    checks = DataLoader(validation, batch_sampler=validation.batches(config.data.batch))
    module = SegmentationModule(config, total_steps=config.epochs * len(batches))
    facts = _facts(config, module, split, len(train_samples), len(val_samples))
    callbacks: list[Callback] = [_Epochs(examples), _BestAverage(out / CHECKPOINT, facts)]
    if progress:
        callbacks.append(RichProgressBar())
    # Not before: a label or weights that cannot be read must not leave half a folder.
    out.mkdir(parents=True, exist_ok=True)
    write_split(out / SPLIT, split)
    with atomic_write(out / "config.json") as file:
        file.write(config.model_dump_json(indent=2).encode())
    _fit(module, batches, checks, callbacks, out)
    return _with_thresholds(out / CHECKPOINT, checks)


def _chosen(data: Path, split: Split) -> tuple[list[Sample], list[Sample]]:
    samples = find_samples(data)
    changed(split, samples)
    match = match_sources(samples)
    leaked(split, samples, match.group)
    sides = []
    for part, names in (("train", split.train), ("val", split.val)):
        wanted = set(names)
        indices = [i for i, sample in enumerate(samples) if sample.name in wanted]
        if not indices:
            raise DataError(f"the {part} part of the split is empty")
        chosen = best_label([samples[i] for i in indices], match.picture[indices])
        logger.info("%s: %d pictures of %d files", part, len(chosen), len(indices))
        sides.append(chosen)
    return sides[0], sides[1]


def _fit(
    module: SegmentationModule,
    batches: DataLoader[Example],
    checks: DataLoader[Example],
    callbacks: list[Callback],
    out: Path,
) -> None:
    on_interrupt = signal.getsignal(signal.SIGINT)
    # Lightning advertises on INFO.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Lightning fears for older logs in the folder; it holds config.json and split.json.
        warnings.filterwarnings("ignore", message="Experiment logs directory .* is not empty")
        # Lightning advises more loader workers than a small machine has cores.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*number of training batches.*")
        # Lightning 2.6 still uses what torch 2.15 deprecates.
        warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
        trainer = lightning.Trainer(
            max_epochs=module.config.epochs,
            accelerator="auto",
            devices=1,
            gradient_clip_val=module.config.optimiser.gradient_clip,
            logger=CSVLogger(out, name="", version=""),
            callbacks=callbacks,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=any(isinstance(c, RichProgressBar) for c in callbacks),
            num_sanity_val_steps=0,
        )
        try:
            trainer.fit(module, batches, checks)
        except SystemExit as stop:  # what Lightning makes of Ctrl-C, which it ignores from then on
            if not trainer.interrupted:
                raise
            signal.signal(signal.SIGINT, on_interrupt)
            raise KeyboardInterrupt from stop


def _with_thresholds(path: Path, checks: DataLoader[Example]) -> Checkpoint:
    best = load_checkpoint(path)
    chosen = Checkpoint(
        config=best.config,
        state=best.state,
        thresholds=choose_thresholds(best.build(), checks, clean_metal(best.config), best.config),
        facts=best.facts,
    )
    save_checkpoint(chosen, path)
    return chosen


def _facts(
    config: TrainConfig, module: SegmentationModule, split: Split, n_train: int, n_val: int
) -> dict[str, object]:
    packages = ("torch", "lightning", "segmentation-models-pytorch", "albumentations", "numpy")
    return {
        "parameters_m": round(parameters_m(module.model), 4),
        "gflop_256": round(gflop(module.model), 4),
        "split_digest": split.digest,
        "train_pictures": n_train,
        "val_pictures": n_val,
        "seed": config.seed,
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "torch_threads": torch.get_num_threads(),
    }
