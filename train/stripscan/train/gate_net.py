"""The gate: a network of a few thousand weights that tells which cells could hold a defect."""

from typing import Final

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

CELL_PX: Final = 16
"""Side of a cell in pixels of the camera."""

REDUCTION: Final = 4
"""The network sees means of so many by so many pixels."""


class GateConfig(BaseModel):
    """How a gate is trained; see ``gate_trainer.train_gate``.

    Attributes:
        widths: Channels of the three convolutions.
        variants: How often each real picture is drawn, each time changed in another way.
        simulated: Simulated tiles for each of these.
        clean: Share of simulated tiles without a defect, 0–1.
        epochs: Passes over all examples.
        batch: Examples in a step.
        peak_lr: Highest rate of the one-cycle schedule.
        positive_weight: Weight of a cell with a defect against one without.
        passed: Least share of the defects of the validation that must pass, 0–1.
        clean_m2: Area of simulated clean metal on which marks are counted, in m².
        seed: Of everything random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[int, int, int] = (16, 32, 32)
    variants: int = Field(2, ge=1)
    simulated: float = Field(1.0, ge=0)
    clean: float = Field(0.5, ge=0, le=1)
    epochs: int = Field(30, ge=1)
    batch: int = Field(64, ge=1)
    peak_lr: float = Field(4e-3, gt=0)
    positive_weight: float = Field(4.0, gt=0)
    passed: float = Field(0.997, gt=0, le=1)
    clean_m2: float = Field(4.0, gt=0)
    seed: int = 0


class GateNet(nn.Module):
    """Logits of cells from a reduced image.

    Pixels are stacked two by two into channels first, so that the dense convolutions run on few
    large values: at 16 px a cell 63 multiplications a pixel of the camera.

    Args:
        widths: Channels of the three convolutions.
    """

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = widths
        self.body = nn.Sequential(
            *_conv(4, first, stride=2), *_conv(first, second), *_conv(second, third)
        )
        self.head = nn.Conv2d(third, 1, 1)

    def forward(self, image_NHW: Tensor) -> Tensor:
        """Return float32 ``[N, H / 4, W / 4]`` of float ``[N, H, W]``, grey levels 0–255."""
        x_N1HW = image_NHW.unsqueeze(1) * (1 / 64) - 2
        y_NCHW = self.body(functional.pixel_unshuffle(x_N1HW, 2))
        logits_NHW: Tensor = self.head(y_NCHW)[:, 0]
        return logits_NHW


def _conv(inputs: int, outputs: int, *, stride: int = 1) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class MarkingGraph(nn.Module):
    """The gate as it is deployed: uint8 in, marks out.

    Args:
        net: In evaluation mode.
        limit: Logit from which a cell is marked.
    """

    def __init__(self, net: GateNet, *, limit: float) -> None:
        super().__init__()
        self.net = net
        self._limit = limit

    def forward(self, image_NHW: Tensor) -> Tensor:
        """Return uint8 ``[N, H / 4, W / 4]``, 1 where a cell is marked, of uint8 ``[N, H, W]``."""
        logits_NHW = self.net(image_NHW.to(torch.float32))
        return (logits_NHW >= self._limit).to(torch.float32).to(torch.uint8)
