"""The gate: a network of a few thousand weights that tells which cells could hold a defect."""

from typing import Final

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

CELL_PX: Final = 16
"""Side of a cell in pixels of the camera."""

TILE_CELLS: Final = 6
"""Side of the core of a gated run's tile in cells: it passes as a whole, or not."""

_AROUND: Final = 7


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
        positive_weight: Weight of a tile with a defect against one without.
        cell_weight: Weight of the loss of single cells against that of tiles.
        passed: Least share of the defects of the validation that must pass, 0–1.
        clean_m2: Area of simulated clean metal on which marks are counted, in m².
        seed: Of everything random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[int, int, int] = (24, 32, 32)
    variants: int = Field(2, ge=1)
    simulated: float = Field(1.0, ge=0)
    clean: float = Field(0.5, ge=0, le=1)
    epochs: int = Field(40, ge=1)
    batch: int = Field(64, ge=1)
    peak_lr: float = Field(4e-3, gt=0)
    positive_weight: float = Field(3.0, gt=0)
    cell_weight: float = Field(0.3, ge=0)
    passed: float = Field(0.995, gt=0, le=1)
    clean_m2: float = Field(4.0, gt=0)
    seed: int = 0


class GateNet(nn.Module):
    """Logits of cells from the planes of a reduced image.

    Pixels are stacked two by two into channels first, so that the dense convolutions run on few
    large values. What a cell looks like is held against the mean of some cells around it: whether
    metal is rough says little, whether it is rougher than its neighbours much.

    Args:
        widths: Channels of the three convolutions.
    """

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = widths
        self.stem = nn.Sequential(*_conv(8, first, stride=2), *_conv(first, second))
        self.near = nn.Conv2d(second, third, 3, padding=1, bias=False)
        self.around = nn.Conv2d(second, third, 1, bias=False)
        self.norm = nn.BatchNorm2d(third)
        self.head = nn.Conv2d(third, 1, 1)

    def forward(self, planes_N2HW: Tensor) -> Tensor:
        """Return float32 ``[N, H / 4, W / 4]`` of float ``[N, 2, H, W]``, values 0–255."""
        seen_NCHW = self.stem(functional.pixel_unshuffle(planes_N2HW * (1 / 64) - 1, 2))
        mean_NCHW = functional.avg_pool2d(
            seen_NCHW, _AROUND, stride=1, padding=_AROUND // 2, count_include_pad=False
        )
        both_NCHW = self.near(seen_NCHW) + self.around(mean_NCHW)
        logits_N1HW: Tensor = self.head(functional.relu(self.norm(both_NCHW)))
        return logits_N1HW[:, 0]


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

    def forward(self, planes_N2HW: Tensor) -> Tensor:
        """Return uint8 ``[N, H / 4, W / 4]``, 1 where marked, of uint8 ``[N, 2, H, W]``."""
        logits_NHW: Tensor = self.net(planes_N2HW.to(torch.float32))
        return (logits_NHW >= self._limit).to(torch.float32).to(torch.uint8)
