"""A training run, from a data folder to a run folder."""

import importlib.metadata
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from torch.utils.data import DataLoader

from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.split import Split, read_split, write_split
from stripscan.train.callbacks import (
    BestAverage,
    FiniteLoss,
    History,
    LastState,
    Reseed,
    SharedStatistics,
    Watch,
)
from stripscan.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from stripscan.train.config import TrainConfig
from stripscan.train.examples import Example, clean_metal
from stripscan.train.failures import memory_explained
from stripscan.train.loaders import Share, train_batches, validation_batches
from stripscan.train.loggers import build_loggers
from stripscan.train.machine import Machine, new_trainer, share_of
from stripscan.train.models import gflop, parameters_m
from stripscan.train.module import SegmentationModule
from stripscan.train.operating_point import choose_operating_point
from stripscan.train.pictures import Pictures, choose
from stripscan.train.run_folder import (
    CHECKPOINT,
    CURVES,
    METRICS,
    SPLIT,
    STATE,
    LoggerKind,
    RunRecord,
    begin,
    config_digest,
    read_record,
    recorded_config,
    write_record,
)

ONE_DEVICE = Machine()

logger = logging.getLogger(__name__)


def train(
    config: TrainConfig,
    *,
    data: Path,
    out: Path,
    split: Split,
    progress: bool = True,
    machine: Machine = ONE_DEVICE,
    loggers: Sequence[LoggerKind] = (),
    watch: Callable[[int, float], None] | None = None,
) -> Checkpoint | None:
    """Train a recipe and write a run folder.

    The folder holds ``config.json``, ``split.json``, ``run.json``, ``metrics.csv``, ``curves.png``
    and the checkpoint of the epoch with the best Dice on validation, with its thresholds; until
    the run is finished, ``last.ckpt`` as well, from which ``resume`` goes on.

    Args:
        config: The resolved recipe.
        data: Folder with the data sets.
        out: Folder of the run; it must be new or empty.
        split: What to train on and what to choose by; its test part is not looked at.
        progress: Show a progress bar.
        machine: What to train on.
        loggers: Where the figures go besides ``metrics.csv``.
        watch: Told the number of each finished epoch, from 1, and its Dice; may end the run with
            an exception.

    Returns:
        The best epoch; None in all processes of the run but the first.

    Raises:
        ConfigError: ``out`` already holds something, the configuration does not fit the machine, or
            the memory is too small.
        DataError: Data and split do not fit, the split leaks, a part of it is empty, or the loss is
            no number any more.
        MissingPartError: The devices or the packages of a logger are not there.
    """
    with _quiet():
        trainer = new_trainer(config, machine, progress=progress)
        if trainer.is_global_zero and out.exists() and any(out.iterdir()):
            raise ConfigError(
                f"{out} is not empty: name a new folder for the run, or go on with the run in it: "
                f"stripscan train --resume {out}"
            )
        pictures = choose(data, split, leaky_split=config.data.leaky_split)
        record = RunRecord(
            data=data.resolve(),
            data_digest=pictures.digest,
            config_digest=config_digest(config),
            processes=trainer.world_size,
            loggers=tuple(loggers),
        )
        job = _prepare(config, pictures, split, share_of(trainer), epoch=0)
        # Not before: a label or weights that cannot be read must not leave half a folder.
        if trainer.is_global_zero:
            out.mkdir(parents=True, exist_ok=True)
            write_split(out / SPLIT, split)
            begin(out, config, record)
        return _complete(job, trainer, out, record, watch=watch)


def resume(
    out: Path,
    *,
    data: Path | None = None,
    progress: bool = True,
    machine: Machine = ONE_DEVICE,
    watch: Callable[[int, float], None] | None = None,
) -> Checkpoint | None:
    """Go on with a run that was stopped, to where it would have come without.

    Args:
        out: The run folder. What is finished is returned as it is.
        data: Folder with the data sets, where it has moved.
        progress: Show a progress bar.
        machine: What to train on; as many devices as before.
        watch: See ``train``.

    Returns:
        The best epoch; None in all processes of the run but the first.

    Raises:
        ConfigError: The folder holds no run, its configuration was changed, or the number of
            processes differs.
        DataError: The data were changed, or a file of the run cannot be read.
        MissingPartError: The devices or the packages of a logger are not there.
    """
    record = read_record(out)
    if record.finished:
        return load_checkpoint(out / CHECKPOINT)
    config, split = recorded_config(out, record), read_split(out / SPLIT)
    with _quiet():
        trainer = new_trainer(config, machine, progress=progress)
        if trainer.world_size != record.processes:
            raise ConfigError(
                f"the run was started with {record.processes} process(es) and cannot go on with "
                f"{trainer.world_size}: give the same --devices and --nodes"
            )
        pictures = choose(data or record.data, split, leaky_split=config.data.leaky_split)
        if pictures.digest != record.data_digest:
            raise DataError(
                f"the labels or images in {data or record.data} are not those that the run was "
                "started with: restore them, or start a new run"
            )
        epoch = _epochs_done(out / STATE)
        logger.info("%s: %d of %d epochs are done", out, epoch, config.epochs)
        job = _prepare(config, pictures, split, share_of(trainer), epoch=epoch)
        return _complete(job, trainer, out, record, watch=watch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A run, ready to start.

    Attributes:
        module: Network and training step.
        batches: To learn from.
        checks: To choose by; the share of this process.
        pictures: All pictures.
        facts: Part of the checkpoint.
        epoch: Where to start, from 0.
    """

    module: SegmentationModule
    batches: DataLoader[Example]
    checks: DataLoader[Example]
    pictures: Pictures
    facts: dict[str, object]
    epoch: int


def _prepare(
    config: TrainConfig, pictures: Pictures, split: Split, share: Share, *, epoch: int
) -> _Job:
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    batches = train_batches(pictures.train, config, share, epoch=epoch)
    checks = validation_batches(pictures.val, config, share)
    steps = -(-len(batches) // config.optimiser.accumulate)
    module = SegmentationModule(config, total_steps=config.epochs * steps)
    facts = _facts(config, module, pictures) | {
        "split_digest": split.digest,
        "processes": share.world,
    }
    return _Job(
        module=module, batches=batches, checks=checks, pictures=pictures, facts=facts, epoch=epoch
    )


def _complete(
    job: _Job,
    trainer: lightning.Trainer,
    out: Path,
    record: RunRecord,
    *,
    watch: Callable[[int, float], None] | None,
) -> Checkpoint | None:
    """Train from where the job starts to the end, and choose the thresholds."""
    config = job.module.config
    trainer.loggers = build_loggers(record.loggers, config, out, first=trainer.is_global_zero)
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined] # set by connector
    callbacks += [
        Reseed(config.seed),
        FiniteLoss(),
        SharedStatistics(),
        BestAverage(out / CHECKPOINT, job.facts, patience=config.patience),
        *([LearningRateMonitor("epoch")] if trainer.loggers else []),
        History(out / METRICS, out / CURVES, title=config.recipe),
        LastState(out / STATE),
        *([Watch(watch)] if watch else []),
    ]
    with memory_explained(config):
        _fit(job, trainer, out / STATE)
        if not trainer.is_global_zero:
            return None
        every = validation_batches(job.pictures.val, config, Share())
        best = _at_operating_point(out / CHECKPOINT, every)
    write_record(out, record.model_copy(update={"finished": True}))
    (out / STATE).unlink(missing_ok=True)
    return best


def _fit(job: _Job, trainer: lightning.Trainer, state: Path) -> None:
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(
            job.module,
            job.batches,
            job.checks,
            ckpt_path=state if job.epoch else None,
            weights_only=True if job.epoch else None,
        )
    except SystemExit as stop:  # what Lightning makes of Ctrl-C and SIGTERM, and ignores them then
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from stop


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what Lightning says to its developers."""
    for name in ("lightning.pytorch", "lightning.fabric"):  # they advertise on INFO
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Lightning advises more loader workers than a small machine has cores.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Lightning 2.6 still uses what torch 2.15 deprecates.
        warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
        # What torch 2.15 has in its place, 2.6 has not.
        warnings.filterwarnings("ignore", ".*broadcast_buffers.* is deprecated")
        yield


def _epochs_done(state: Path) -> int:
    """Return how many epochs the state of a run has behind it; 0 where there is none yet."""
    if not state.exists():
        return 0
    try:
        return int(torch.load(state, map_location="cpu", weights_only=True)["epoch"]) + 1
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        raise DataError(
            f"{state}: the state of the run cannot be read ({type(error).__name__}); remove the "
            "file to train again from the first epoch"
        ) from error


def _at_operating_point(path: Path, checks: DataLoader[Example]) -> Checkpoint:
    best = load_checkpoint(path)
    point = choose_operating_point(best.build(), checks, clean_metal(best.config), best.config)
    chosen = Checkpoint(
        config=best.config,
        state=best.state,
        thresholds=point.thresholds,
        min_area_px=point.min_area_px,
        facts={**best.facts, "false_alarms_per_m2": point.false_alarms_per_m2},
    )
    save_checkpoint(chosen, path)
    return chosen


def _facts(
    config: TrainConfig, module: SegmentationModule, pictures: Pictures
) -> dict[str, object]:
    packages = ("torch", "lightning", "segmentation-models-pytorch", "albumentations", "numpy")
    return {
        "parameters_m": round(parameters_m(module.model), 4),
        "gflop_256": round(gflop(module.model), 4),
        "data_digest": pictures.digest,
        "train_pictures": len(pictures.train),
        "val_pictures": len(pictures.val),
        "seed": config.seed,
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "torch_threads": torch.get_num_threads(),
    }
