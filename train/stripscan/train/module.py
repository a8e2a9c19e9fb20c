"""The training step."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from stripscan.train.augment import BOXES, BOXES_KNOWN, KNOWN, TARGET
from stripscan.train.compact import StripNet
from stripscan.train.config import TrainConfig
from stripscan.train.losses import distillation, masked_bce_dice
from stripscan.train.start import first_model
from stripscan.train.teacher import teacher_of


def normalise(image_N1HW: Tensor, config: TrainConfig) -> Tensor:
    """Map uint8 grey values to what the network expects: ``(x / 255 - mean) / std``."""
    return (image_N1HW.float() / 255.0 - config.input.mean) / config.input.std


def unpack(bits_N1HW: Tensor, *, classes: int) -> Tensor:
    """Return uint8 bits ``[N, 1, H, W]`` as float32 planes ``[N, classes, H, W]``, 0 or 1."""
    shifts_C = torch.arange(classes, dtype=torch.uint8, device=bits_N1HW.device)
    return ((bits_N1HW >> shifts_C[None, :, None, None]) & 1).float()


def _follow(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Return the update of an exponential moving average that follows closely at first."""

    @torch.no_grad()
    def update(average: Sequence[Tensor], current: Sequence[Tensor], steps: Tensor | int) -> None:
        weight = max(1.0 - decay, 9.0 / (10.0 + float(steps)))
        for old, new in zip(average, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new, weight)
            else:
                old.copy_(new)

    return update


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as planes.

    Attributes:
        image_N1HW: uint8.
        target_NCHW: float32, 0 or 1: where the class is.
        known_NCHW: float32, 0 or 1: where the label says whether it is.
        boxes_NCHW: float32, 0 or 1: filled boxes.
        boxes_known_NCHW: float32, 0 or 1: where there are box labels.
    """

    image_N1HW: Tensor
    target_NCHW: Tensor
    known_NCHW: Tensor
    boxes_NCHW: Tensor
    boxes_known_NCHW: Tensor

    @classmethod
    def of(cls, batch: tuple[Tensor, Tensor], *, classes: int, stride: int = 1) -> "Batch":
        """Unpack what ``examples`` gives.

        Args:
            batch: Images and label bits.
            classes: Number of classes.
            stride: Pixels of the image for one of the labels; a label is then the share of the
                pixels that it stands for, and known where all of them are.
        """
        image_N1HW, labels_N4HW = batch
        corners = [
            labels_N4HW[:, :, row::stride, column::stride]
            for row in range(stride)
            for column in range(stride)
        ]
        everywhere_N4HW = functools.reduce(torch.bitwise_and, corners)

        def share(plane: int) -> Tensor:
            parts = [unpack(bits[:, plane : plane + 1], classes=classes) for bits in corners]
            return torch.stack(parts).mean(0) if len(parts) > 1 else parts[0]

        return cls(
            image_N1HW,
            share(TARGET),
            unpack(everywhere_N4HW[:, KNOWN : KNOWN + 1], classes=classes),
            share(BOXES),
            unpack(everywhere_N4HW[:, BOXES_KNOWN : BOXES_KNOWN + 1], classes=classes),
        )


class SegmentationModule(lightning.LightningModule):
    """One network, its moving average, its losses and its optimiser."""

    def __init__(self, config: TrainConfig, *, total_steps: int) -> None:
        super().__init__()
        self.config = config
        self._total_steps = total_steps
        self._steps_averaged = 0
        model = first_model(config)
        self.model: nn.Module = model.to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.model,
            multi_avg_fn=_follow(config.optimiser.ema_decay),
            use_buffers=True,
        )
        self.average.requires_grad_(False)  # DDP would wait for gradients of it
        self._teacher = teacher_of(config)
        self._counts: list[Tensor] = []

    def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Tensor:
        """Return the loss of a batch."""
        classes = len(self.config.classes)
        x_N1HW = normalise(batch[0], self.config).contiguous(memory_format=torch.channels_last)
        logits_NCHW = self._logits(x_N1HW)
        planes = Batch.of(batch, classes=classes, stride=x_N1HW.shape[-1] // logits_NCHW.shape[-1])
        kind = self.config.loss.kind
        loss = masked_bce_dice(
            logits_NCHW[:, :classes], planes.target_NCHW, planes.known_NCHW, kind=kind
        )
        if self.config.box_head:
            boxes = masked_bce_dice(
                logits_NCHW[:, classes:], planes.boxes_NCHW, planes.boxes_known_NCHW, kind=kind
            )
            loss = loss + self.config.loss.boxes * boxes
        if self.config.teacher is not None and self._teacher is not None:
            taught_NCHW = functional.interpolate(
                self._teacher(x_N1HW), logits_NCHW.shape[-2:], mode="bilinear", antialias=True
            )
            taught = distillation(logits_NCHW[:, : taught_NCHW.shape[1]], taught_NCHW)
            loss = loss + self.config.teacher.weight * taught
        self.log("train_loss", loss, prog_bar=True, on_epoch=True, on_step=False, sync_dist=True)
        return loss

    def _logits(self, x_N1HW: Tensor) -> Tensor:
        if isinstance(self.model, StripNet):
            return self.model.forward(x_N1HW, stride=2)
        logits_NCHW: Tensor = self.model(x_N1HW)
        return logits_NCHW

    def on_train_start(self) -> None:
        """Count the steps from where the run starts or was resumed."""
        self._steps_averaged = self.global_step

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the average after each step of the optimiser."""
        if self.global_step > self._steps_averaged:
            self._steps_averaged = self.global_step
            self.average.update_parameters(self.model)

    def validation_step(self, batch: tuple[Tensor, Tensor], _index: int) -> None:
        """Count true and false pixels of the averaged network at probability 0.5."""
        classes = len(self.config.classes)
        planes = Batch.of(batch, classes=classes)
        logits_NCHW = self.average(normalise(planes.image_N1HW, self.config))
        counts = [_overlap(logits_NCHW[:, :classes], planes.target_NCHW, planes.known_NCHW)]
        if self.config.box_head:
            boxes_NCHW, known_NCHW = planes.boxes_NCHW, planes.boxes_known_NCHW
            counts.append(_overlap(logits_NCHW[:, classes:], boxes_NCHW, known_NCHW))
        self._counts.append(torch.stack(counts))

    def on_validation_epoch_end(self) -> None:
        """Log pooled Dice per class and its mean, of the masks and of the boxes."""
        heads = self.trainer.strategy.reduce(torch.stack(self._counts).sum(0), reduce_op="sum")
        self._counts.clear()
        dice_HC = 2 * heads[:, 0] / heads[:, 1].clamp(min=1)
        self.log("val_dice", dice_HC[0].mean(), prog_bar=True, sync_dist=True)
        for name, dice in zip(self.config.classes, dice_HC[0], strict=True):
            self.log(f"val_dice_{name}", dice, sync_dist=True)
        if self.config.box_head:
            self.log("val_dice_boxes", dice_HC[1].mean(), prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Return AdamW, without decay on biases and norms, and its schedule."""
        options = self.config.optimiser
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim <= 1]
        optimiser = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": options.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=options.peak_lr,
        )
        if options.schedule == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, mode="max", patience=3)
            return {
                "optimizer": optimiser,
                "lr_scheduler": {"scheduler": plateau, "monitor": "val_dice"},
            }
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=options.peak_lr,
            total_steps=self._total_steps,
            pct_start=options.warm_up,
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _overlap(logits_NCHW: Tensor, truth_NCHW: Tensor, known_NCHW: Tensor) -> Tensor:
    """Return per class the pixels predicted and true, and their sum of both, ``[2, C]``."""
    predicted_NCHW = (logits_NCHW > 0).float() * known_NCHW
    truth_NCHW = truth_NCHW * known_NCHW
    axes = (0, 2, 3)
    return torch.stack(
        [(predicted_NCHW * truth_NCHW).sum(axes), (predicted_NCHW + truth_NCHW).sum(axes)]
    )
