"""StripNet: a compact segmentation network for the line.

Inverted residuals after MobileNetV2 (Sandler et al., 2018, arXiv:1801.04381) down to stride 32,
a feature pyramid after Lin et al. (2017, arXiv:1612.03144) back up to stride 4, and a 1x1 head.
There is no global pooling: what a pixel becomes depends on a bounded neighbourhood only (at most
216 px away), on the same metal the same wherever it lies on a grid of 32 px.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_STEM_STRIDE = 4


def _conv_bn(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if act:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise 3x3, project 1x1; with a skip where the shape allows it."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, expand: int) -> None:
        super().__init__()
        hidden = inputs * expand
        self.skip = stride == 1 and inputs == outputs
        self.strided = stride > 1
        self.expand = _conv_bn(inputs, hidden, 1)
        self.depthwise = _conv_bn(hidden, hidden, 3, stride=stride, groups=hidden)
        self.project = _conv_bn(hidden, outputs, 1, act=False)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Map ``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``."""
        y_NCHW: Tensor = self.expand(x_NCHW)
        if self.strided and self.training:
            # In bf16, the gradient of this one takes ten times as long as in float32 on a CPU.
            with torch.autocast(y_NCHW.device.type, enabled=False):
                y_NCHW = self.depthwise(y_NCHW.float())
        else:
            y_NCHW = self.depthwise(y_NCHW)
        y_NCHW = self.project(y_NCHW)
        return x_NCHW + y_NCHW if self.skip else y_NCHW


class StripNet(nn.Module):
    """The compact network.

    Args:
        classes: Number of output channels.
        stem: Channels at stride 2.
        widths: Channels at strides 4, 8, 16 and 32.
        depths: Inverted residuals at strides 4, 8, 16 and 32.
        expand: Expansion of the inverted residuals.
        pyramid: Channels of the feature pyramid.
    """

    def __init__(
        self,
        *,
        classes: int,
        stem: int,
        widths: Sequence[int],
        depths: Sequence[int],
        expand: int,
        pyramid: int,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _conv_bn(1, stem, 3, stride=2),
            _conv_bn(stem, widths[0], 3, stride=2),
        )
        self.stages = nn.ModuleList()
        inputs = widths[0]
        for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = [
                InvertedResidual(
                    inputs if block == 0 else width,
                    width,
                    stride=2 if block == 0 and index > 0 else 1,
                    expand=expand,
                )
                for block in range(depth)
            ]
            self.stages.append(nn.Sequential(*blocks))
            inputs = width
        self.laterals = nn.ModuleList(_conv_bn(width, pyramid, 1, act=False) for width in widths)
        self.smooths = nn.ModuleList(
            nn.Sequential(
                _conv_bn(pyramid, pyramid, 3, groups=pyramid), _conv_bn(pyramid, pyramid, 1)
            )
            for _ in widths
        )
        self.head = nn.Conv2d(pyramid, classes, 1)

    def forward(self, x_NCHW: Tensor, *, stride: int = 1) -> Tensor:
        """Return logits.

        Args:
            x_NCHW: float32 ``[N, 1, H, W]``, normalised; ``H`` and ``W`` multiples of 32.
            stride: Pixels of the input for one of the output: 1, 2 or 4. The loss takes 2: the
                network itself sees nothing finer than 4, and full size costs it a third more time.

        Returns:
            float32 ``[N, classes, H / stride, W / stride]``.
        """
        features: list[Tensor] = []
        y_NCHW: Tensor = self.stem(x_NCHW)
        for stage in self.stages:
            y_NCHW = stage(y_NCHW)
            features.append(y_NCHW)
        top_NCHW: Tensor | None = None
        for lateral, smooth, feature_NCHW in zip(
            reversed(self.laterals), reversed(self.smooths), reversed(features), strict=True
        ):
            side_NCHW: Tensor = lateral(feature_NCHW)
            if top_NCHW is not None:
                side_NCHW = side_NCHW + functional.interpolate(
                    top_NCHW, scale_factor=2.0, mode="nearest"
                )
            top_NCHW = smooth(torch.relu(side_NCHW))
        # Plain layout: few channels at full size are several times slower in the other one.
        logits_NCHW: Tensor = self.head(top_NCHW).contiguous()
        return functional.interpolate(
            logits_NCHW, scale_factor=_STEM_STRIDE / stride, mode="bilinear", align_corners=False
        )
