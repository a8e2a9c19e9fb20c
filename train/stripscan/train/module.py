"""The training step."""

from collections.abc import Callable, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from stripscan.train.config import TrainConfig
from stripscan.train.losses import masked_bce_dice
from stripscan.train.models import build_model


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


class SegmentationModule(lightning.LightningModule):
    """One network, its moving average, its loss and its optimiser."""

    def __init__(self, config: TrainConfig, *, total_steps: int) -> None:
        super().__init__()
        self.config = config
        self._total_steps = total_steps
        model = build_model(config.model, classes=len(config.classes))
        self.model: nn.Module = model.to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.model,
            multi_avg_fn=_follow(config.optimiser.ema_decay),
            use_buffers=True,
        )
        self._counts: list[Tensor] = []

    def planes(self, batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the image and the label bits of a batch as planes."""
        image_N1HW, target_N1HW, known_N1HW = batch
        classes = len(self.config.classes)
        return image_N1HW, unpack(target_N1HW, classes=classes), unpack(known_N1HW, classes=classes)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _index: int) -> Tensor:
        """Return the loss of a batch."""
        image_N1HW, target_NCHW, known_NCHW = self.planes(batch)
        x_N1HW = normalise(image_N1HW, self.config).contiguous(memory_format=torch.channels_last)
        loss = masked_bce_dice(self.model(x_N1HW), target_NCHW, known_NCHW)
        self.log("train_loss", loss, prog_bar=True, on_epoch=True, on_step=False)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the average after each step."""
        self.average.update_parameters(self.model)

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], _index: int) -> None:
        """Count true and false pixels of the averaged network at probability 0.5."""
        image_N1HW, target_NCHW, known_NCHW = self.planes(batch)
        predicted_NCHW = (self.average(normalise(image_N1HW, self.config)) > 0).float() * known_NCHW
        truth_NCHW = target_NCHW * known_NCHW
        axes = (0, 2, 3)
        self._counts.append(
            torch.stack(
                [(predicted_NCHW * truth_NCHW).sum(axes), (predicted_NCHW + truth_NCHW).sum(axes)]
            )
        )

    def on_validation_epoch_end(self) -> None:
        """Log pooled Dice per class and its mean."""
        both_C, sum_C = torch.stack(self._counts).sum(0)
        self._counts.clear()
        dice_C = 2 * both_C / sum_C.clamp(min=1)
        self.log("val_dice", dice_C.mean(), prog_bar=True)
        for name, dice in zip(self.config.classes, dice_C, strict=True):
            self.log(f"val_dice_{name}", dice)

    def configure_optimizers(self) -> Any:
        """Return AdamW, without decay on biases and norms, and its one-cycle schedule."""
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
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=options.peak_lr,
            total_steps=self._total_steps,
            pct_start=options.warm_up,
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
