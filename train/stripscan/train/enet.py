"""ENet after Paszke et al. (2016, arXiv:1606.02147), the light peer to compare with.

Layers, channels and dropout are those of table 1 and section 3 of the paper, for one channel of
grey instead of three of colour: the initial block convolves to 15 channels, so that there are 16
with the pooled image. Convolutions before a batch norm have no bias, which the norm would cancel.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_SHRINK = 4
"""A bottleneck convolves on this fraction of its output channels."""

_EARLY_DROPOUT = 0.01  # up to the end of stage 1
_DROPOUT = 0.1  # from there on


_NEARLY = 1e-3
"""Rounding moves activations by less; they are about 1."""


def _conv_bn(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, bias=False), nn.BatchNorm2d(outputs)
    )


def _body(
    inputs: int, outputs: int, middle: nn.Module, *, dropout: float, stride: int = 1
) -> nn.Sequential:
    """Return the branch that learns: project, convolve in the middle, expand, drop channels."""
    hidden = outputs // _SHRINK
    return nn.Sequential(
        _conv_bn(inputs, hidden, stride, stride=stride),
        nn.PReLU(hidden),
        middle,
        nn.BatchNorm2d(hidden),
        nn.PReLU(hidden),
        _conv_bn(hidden, outputs, 1),
        nn.Dropout2d(dropout),
    )


def _conv3(channels: int, *, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)


def _conv5(channels: int) -> nn.Sequential:
    """Return a 5x5 convolution as a column after a row."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, (1, 5), padding=(0, 2), bias=False),
        nn.Conv2d(channels, channels, (5, 1), padding=(2, 0), bias=False),
    )


class Initial(nn.Module):
    """The image at half size: 15 convolved channels and the pooled image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 15, 3, stride=2, padding=1, bias=False)
        self.out = nn.Sequential(nn.BatchNorm2d(16), nn.PReLU(16))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Map ``[N, 1, H, W]`` to ``[N, 16, H / 2, W / 2]``."""
        pooled_NCHW = functional.max_pool2d(x_NCHW, 2)
        return cast(Tensor, self.out(torch.cat((self.conv(x_NCHW), pooled_NCHW), dim=1)))


class Bottleneck(nn.Module):
    """Adds what it learns to its input, at the same size.

    Args:
        channels: In and out.
        middle: Convolution on a quarter of the channels.
        dropout: Probability that a channel of the learned branch is dropped.
    """

    def __init__(self, channels: int, middle: nn.Module, *, dropout: float = _DROPOUT) -> None:
        super().__init__()
        self.body = _body(channels, channels, middle, dropout=dropout)
        self.act = nn.PReLU(channels)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Map ``[N, channels, H, W]`` to the same shape."""
        return cast(Tensor, self.act(x_NCHW + self.body(x_NCHW)))


def pool(x_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maxima of 2x2 pixels, and which of the four each was.

    Of pixels nearly equal the first in reading order counts. On an even tile all are equal but for
    rounding, which every engine does in its own way: with the plain maximum an exported network
    would put them elsewhere.

    Args:
        x_NCHW: float ``[N, C, 2 * H, 2 * W]``.

    Returns:
        float and int64 ``[N, C, H, W]``; the latter 0 to 3.
    """
    four_NCHW4 = torch.stack([x_NCHW[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], dim=-1)
    earlier_first_4 = _NEARLY * torch.arange(4, device=x_NCHW.device)
    return four_NCHW4.amax(dim=-1), (four_NCHW4 - earlier_first_4).argmax(dim=-1)


def unpool(x_NCHW: Tensor, which_NCHW: Tensor) -> Tensor:
    """Put each pixel where ``pool`` found a maximum, and zeros around it.

    Args:
        x_NCHW: float ``[N, C, H, W]``.
        which_NCHW: int64 ``[N, C, H, W]`` from ``pool``.

    Returns:
        float ``[N, C, 2 * H, 2 * W]``.
    """
    planes = [torch.where(which_NCHW == i, x_NCHW, 0.0) for i in range(4)]
    return functional.pixel_shuffle(torch.stack(planes, dim=2).flatten(1, 2), 2)


class Down(nn.Module):
    """Halves the size; the skip is pooled, and padded with zero channels."""

    def __init__(self, inputs: int, outputs: int, *, dropout: float = _DROPOUT) -> None:
        super().__init__()
        self.more = outputs - inputs
        middle = _conv3(outputs // _SHRINK)
        self.body = _body(inputs, outputs, middle, dropout=dropout, stride=2)
        self.act = nn.PReLU(outputs)

    def forward(self, x_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``[N, outputs, H / 2, W / 2]`` and where the maxima were, for ``Up``.

        The latter is as of ``pool``.
        """
        pooled_NCHW, which_NCHW = pool(x_NCHW)
        skip_NCHW = functional.pad(pooled_NCHW, (0, 0, 0, 0, 0, self.more))
        return self.act(skip_NCHW + self.body(x_NCHW)), which_NCHW


class Up(nn.Module):
    """Doubles the size; the skip goes back to where the maxima of the ``Down`` were."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        hidden = outputs // _SHRINK
        middle = nn.ConvTranspose2d(
            hidden, hidden, 3, stride=2, padding=1, output_padding=1, bias=False
        )
        self.skip = _conv_bn(inputs, outputs, 1)
        self.body = _body(inputs, outputs, middle, dropout=_DROPOUT)
        self.act = nn.PReLU(outputs)

    def forward(self, x_NCHW: Tensor, which_NCHW: Tensor) -> Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, 2 * H, 2 * W]``.

        Args:
            x_NCHW: What to double.
            which_NCHW: int64 ``[N, outputs, H, W]`` from the ``Down`` of that size.
        """
        skip_NCHW = unpool(self.skip(x_NCHW), which_NCHW)
        return cast(Tensor, self.act(skip_NCHW + self.body(x_NCHW)))


def _context(channels: int) -> nn.Sequential:
    """Return stage 3, or stage 2 after its downsampling: a widening view at one size."""
    hidden = channels // _SHRINK
    middles = (
        _conv3(hidden),
        _conv3(hidden, dilation=2),
        _conv5(hidden),
        _conv3(hidden, dilation=4),
        _conv3(hidden),
        _conv3(hidden, dilation=8),
        _conv5(hidden),
        _conv3(hidden, dilation=16),
    )
    return nn.Sequential(*(Bottleneck(channels, middle) for middle in middles))


def _regular(channels: int, count: int, *, dropout: float = _DROPOUT) -> nn.Sequential:
    middles = (_conv3(channels // _SHRINK) for _ in range(count))
    return nn.Sequential(*(Bottleneck(channels, middle, dropout=dropout) for middle in middles))


class ENet(nn.Module):
    """The network, without options: its worth is that it is known.

    Args:
        classes: Number of output channels.
    """

    def __init__(self, *, classes: int) -> None:
        super().__init__()
        self.initial = Initial()
        self.down1 = Down(16, 64, dropout=_EARLY_DROPOUT)
        self.stage1 = _regular(64, 4, dropout=_EARLY_DROPOUT)
        self.down2 = Down(64, 128)
        self.stage2 = _context(128)
        self.stage3 = _context(128)
        self.up4 = Up(128, 64)
        self.stage4 = _regular(64, 2)
        self.up5 = Up(64, 16)
        self.stage5 = _regular(16, 1)
        self.head = nn.ConvTranspose2d(16, classes, 2, stride=2)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Return logits.

        Args:
            x_NCHW: float32 ``[N, 1, H, W]``, normalised; ``H`` and ``W`` multiples of 8.

        Returns:
            float32 ``[N, classes, H, W]``.
        """
        y_NCHW, which1_NCHW = self.down1(self.initial(x_NCHW))
        y_NCHW, which2_NCHW = self.down2(self.stage1(y_NCHW))
        y_NCHW = self.stage3(self.stage2(y_NCHW))
        y_NCHW = self.stage4(self.up4(y_NCHW, which2_NCHW))
        y_NCHW = self.stage5(self.up5(y_NCHW, which1_NCHW))
        return cast(Tensor, self.head(y_NCHW))
