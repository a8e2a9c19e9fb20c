"""The deployed graph: a network with its normalisation, thresholds and choice of class.

See ``contract.graph`` for what goes in and out.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stripscan.train.checkpoint import Checkpoint

_NEVER = -1e4
"""Takes the place of logits below their threshold; far below any logit."""


class DeployedGraph(nn.Module):
    """Wraps a network of logits into uint8 in, uint8 out.

    Args:
        model: Maps float32 ``[N, 1, H, W]`` to logits ``[N, C, H, W]``.
        mean: Mean grey value of training, 0–1.
        std: Standard deviation of training, in the same unit.
        thresholds: Probability per class from which a pixel counts, 0–1 exclusive.
    """

    def __init__(
        self, model: nn.Module, *, mean: float, std: float, thresholds: Sequence[float]
    ) -> None:
        super().__init__()
        self.model = model
        self._gain = 1.0 / (255.0 * std)
        self._offset = -mean / std
        # A threshold on the probability is one on the logit, and costs no sigmoid a channel.
        logits = [math.log(p / (1.0 - p)) for p in thresholds]
        self.limits: Tensor
        self.register_buffer("limits", torch.tensor(logits)[None, :, None, None])

    def forward(self, image_NHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mask, score and logits.

        Args:
            image_NHW: uint8, 0–255.

        Returns:
            uint8 ``[N, H, W]`` class ids, uint8 ``[N, H, W]`` scores, float32 ``[N, C, H, W]``.
        """
        # TensorRT wants uint8 cast before anything else is done with it.
        x_N1HW = image_NHW.to(torch.float32).unsqueeze(1) * self._gain + self._offset
        logits_NCHW = self.model(x_N1HW)
        counted_NCHW = torch.where(logits_NCHW >= self.limits, logits_NCHW, _NEVER)
        best_NHW = counted_NCHW.amax(dim=1)
        is_defect_NHW = best_NHW > _NEVER / 2
        class_NHW = (counted_NCHW.argmax(dim=1) + 1).to(torch.float32)
        mask_NHW = torch.where(is_defect_NHW, class_NHW, 0.0)
        # For background: the probability that the likeliest class is not there.
        confident_NHW = torch.where(is_defect_NHW, best_NHW, -logits_NCHW.amax(dim=1))
        score_NHW = torch.round(torch.sigmoid(confident_NHW) * 255.0)
        # TensorRT casts to uint8 from float only.
        return mask_NHW.to(torch.uint8), score_NHW.to(torch.uint8), logits_NCHW


def deployed_graph(checkpoint: Checkpoint) -> DeployedGraph:
    """Return the graph of a checkpoint, in evaluation mode.

    Raises:
        DataError: The weights are those of another network.
    """
    config = checkpoint.config
    return DeployedGraph(
        checkpoint.build(),
        mean=config.input.mean,
        std=config.input.std,
        thresholds=[checkpoint.thresholds[name] for name in config.classes],
    ).eval()
