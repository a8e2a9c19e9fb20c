"""What happens around the epochs of a run."""

import csv
import io
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.callbacks import Checkpoint as LastCallback
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from stripscan.contract.files import write_file
from stripscan.train.checkpoint import Checkpoint, model_state, save_checkpoint
from stripscan.train.curves import draw_curves
from stripscan.train.failures import DivergedError
from stripscan.train.module import SegmentationModule

_DRAW_EVERY_S = 20


class Reseed(Callback):
    """Seeds all generators by seed, epoch and process.

    What an epoch draws then depends on nothing before it, so that a resumed run draws the same.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, _module: lightning.LightningModule
    ) -> None:
        """Seed."""
        entropy = (self._seed, trainer.current_epoch, trainer.global_rank)
        state = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        random.seed(state)
        np.random.seed(state)
        torch.manual_seed(state)


class FiniteLoss(Callback):
    """Stops a run whose loss is no number any more, before it spoils the weights."""

    def on_before_backward(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, loss: Tensor
    ) -> None:
        """Look at the loss of a batch.

        Raises:
            DivergedError: It is infinite or not a number.
        """
        if bool(torch.isfinite(loss)):
            return
        advice = "train with a lower rate (--set optimiser.peak_lr=...)"
        if trainer.precision != "32-true":
            advice += " or with --set precision=fp32"
        raise DivergedError(
            f"the loss became {float(loss.detach())} in epoch {trainer.current_epoch + 1}, batch "
            f"{trainer.fit_loop.batch_idx + 1}: {advice}. The best epoch before is kept"
        )


class SharedStatistics(Callback):
    """Averages the running statistics of the norms over the processes, before validation."""

    def on_validation_start(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Average."""
        if trainer.world_size == 1:
            return
        for buffer in module.buffers():
            if buffer.is_floating_point():
                buffer.copy_(trainer.strategy.reduce(buffer.clone(), reduce_op="mean"))


class BestAverage(Callback):
    """Keeps the averaged weights of the best epoch on disk, and ends a run that stays behind it.

    Args:
        path: The checkpoint; it is whole at any moment.
        facts: Part of the checkpoint.
        patience: End after so many epochs without a better one; None trains to the end.
    """

    def __init__(
        self, path: Path, facts: dict[str, object], *, patience: int | None = None
    ) -> None:
        self._path = path
        self._facts = facts
        self._patience = patience
        self._best = -1.0
        self._since = 0

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {"best": self._best, "since": self._since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        self._best, self._since = state_dict["best"], state_dict["since"]

    def on_train_start(
        self, trainer: lightning.Trainer, _module: lightning.LightningModule
    ) -> None:
        """End at once where the run was resumed after its last epoch."""
        self._end(trainer)

    def on_validation_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Write a checkpoint where this epoch is the best so far."""
        if not isinstance(module, SegmentationModule) or trainer.sanity_checking:
            return
        dice = float(trainer.callback_metrics["val_dice"])
        self._since += 1
        if dice > self._best:
            self._best, self._since = dice, 0
            if trainer.is_global_zero:
                self._save(module, trainer.current_epoch + 1, dice)
        self._end(trainer)

    def _end(self, trainer: lightning.Trainer) -> None:
        if self._patience is not None and self._since >= self._patience:
            trainer.should_stop = True

    def _save(self, module: SegmentationModule, epoch: int, dice: float) -> None:
        save_checkpoint(
            Checkpoint(
                config=module.config,
                state=model_state(module.average.module),
                thresholds=dict.fromkeys(module.config.classes, 0.5),
                facts={**self._facts, "epoch": epoch, "val_dice": dice},
            ),
            self._path,
        )


class History(LastCallback):
    """Writes ``metrics.csv``, a row for each epoch, and draws it.

    The picture is drawn at most once in ``_DRAW_EVERY_S`` seconds and at the end.

    Args:
        metrics: The table.
        curves: The picture.
        title: What is trained.
    """

    def __init__(self, metrics: Path, curves: Path, *, title: str) -> None:
        self._metrics = metrics
        self._curves = curves
        self._title = title
        self._rows: list[dict[str, float]] = []
        self._drawn_s = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {"rows": self._rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        self._rows = state_dict["rows"]

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, _module: lightning.LightningModule
    ) -> None:
        """Add the epoch."""
        self._rows.append(
            {
                "epoch": trainer.current_epoch + 1,
                "step": trainer.global_step,
                "lr": trainer.optimizers[0].param_groups[0]["lr"],
                **{name: float(value) for name, value in trainer.callback_metrics.items()},
            }
        )
        if not trainer.is_global_zero:
            return
        text = io.StringIO()
        table = csv.DictWriter(text, self._rows[0].keys(), lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows)
        write_file(self._metrics, text.getvalue().encode())
        if time.monotonic() - self._drawn_s > _DRAW_EVERY_S:
            self._draw(trainer)

    def on_train_end(self, trainer: lightning.Trainer, _module: lightning.LightningModule) -> None:
        """Draw what there is."""
        self._draw(trainer)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        _module: lightning.LightningModule,
        _exception: BaseException,
    ) -> None:
        """Draw what there is."""
        self._draw(trainer)

    def _draw(self, trainer: lightning.Trainer) -> None:
        if trainer.is_global_zero and self._rows:
            draw_curves(self._rows, self._curves, title=self._title)
            self._drawn_s = time.monotonic()


class Watch(Callback):
    """Tells somebody how each epoch went, once all of it is saved and logged.

    Args:
        tell: Takes the number of the epoch, from 1, and its Dice on validation; may raise to end
            the run.
    """

    def __init__(self, tell: Callable[[int, float], None]) -> None:
        self._tell = tell
        self._news: tuple[int, float] | None = None

    def on_validation_end(
        self, trainer: lightning.Trainer, _module: lightning.LightningModule
    ) -> None:
        """Note the epoch."""
        self._news = trainer.current_epoch + 1, float(trainer.callback_metrics["val_dice"])

    def on_train_epoch_start(
        self, _trainer: lightning.Trainer, _module: lightning.LightningModule
    ) -> None:
        """Tell of the epoch before."""
        self._pass_on()

    def on_train_end(self, _trainer: lightning.Trainer, _module: lightning.LightningModule) -> None:
        """Tell of the last epoch."""
        self._pass_on()

    def _pass_on(self) -> None:
        if self._news is not None:
            news, self._news = self._news, None
            self._tell(*news)


class LastState(LastCallback):
    """Writes the whole state after each epoch, so that a run can be resumed.

    It comes after all other callbacks: their state is part of it.

    Args:
        path: The file; it is whole at any moment.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._dice: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {"dice": self._dice}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what ``state_dict`` returned."""
        self._dice = state_dict["dice"]

    def on_train_start(
        self, trainer: lightning.Trainer, _module: lightning.LightningModule
    ) -> None:
        """Catch up with what Lightning does after the state is written: the plateau schedule."""
        for schedule in trainer.lr_scheduler_configs:
            plateau = schedule.scheduler
            if isinstance(plateau, ReduceLROnPlateau) and self._dice is not None:
                plateau.step(self._dice)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, _module: lightning.LightningModule
    ) -> None:
        """Write the state."""
        self._dice = float(trainer.callback_metrics["val_dice"])
        trainer.save_checkpoint(self._path, weights_only=False)
