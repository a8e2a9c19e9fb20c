"""A checkpoint as something to score."""

import numpy as np
import torch
from numpy.typing import NDArray

from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.dataset.scoring.reported import reported
from stripscan.dataset.scoring.segmented import Segment, Segmented
from stripscan.train.checkpoint import Checkpoint
from stripscan.train.module import normalise

BOX_THRESHOLD = 0.5
"""Probability from which the box head counts a pixel, as the original project did."""


def checkpoint_segmenter(checkpoint: Checkpoint) -> Segment:
    """Return what a checkpoint makes of single images, as its export and the inspection would.

    Of the classes that reach their threshold the likeliest one counts; the score of background is
    the probability that the likeliest class is not there.

    Raises:
        DataError: The weights are those of another network.
    """
    model = checkpoint.build(box_head=True)
    classes = checkpoint.config.classes
    limits_C11 = torch.tensor([checkpoint.thresholds[name] for name in classes])[:, None, None]

    def segment(image_HW: NDArray[np.uint8]) -> Segmented:
        height, width = image_HW.shape
        sides = [(0, -side % SIZE_MULTIPLE_PX) for side in image_HW.shape]
        padded_HW = torch.from_numpy(np.pad(image_HW, sides, mode="reflect"))
        with torch.inference_mode():
            logits_NCHW = model(normalise(padded_HW[None, None], checkpoint.config))
        share_CHW = torch.sigmoid(logits_NCHW[0, :, :height, :width])
        mask_CHW, boxes_CHW = share_CHW[: len(classes)], share_CHW[len(classes) :]
        counted_CHW = torch.where(mask_CHW >= limits_C11, mask_CHW, -1.0)
        best_HW, index_HW = counted_CHW.max(dim=0)
        found_HW = best_HW >= 0
        score_HW = torch.where(found_HW, best_HW, 1.0 - mask_CHW.amax(dim=0))
        segmented = Segmented(
            mask=((index_HW + 1) * found_HW).to(torch.uint8).numpy(),
            score=torch.round(score_HW * 255.0).to(torch.uint8).numpy(),
            boxes=(boxes_CHW >= BOX_THRESHOLD).numpy() if len(boxes_CHW) else None,
        )
        return reported(segmented, checkpoint.min_area_px)

    return segment
