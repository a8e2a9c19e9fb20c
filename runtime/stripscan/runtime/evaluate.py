"""A bundle as something to score, and what its model has seen."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError
from stripscan.dataset.scoring.reported import reported
from stripscan.dataset.scoring.segmented import Segment, Segmented
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.still import segment_image

SEEN_FILE: Final = "provenance/seen.txt"
"""In a bundle: the pixel digests of all images that were trained on or chosen by, one a line."""


def engine_segmenter(engine: Engine, min_area_px: Mapping[str, int]) -> Segment:
    """Return what an engine makes of single images, to be scored as an inspection reports it.

    Args:
        engine: What runs the model.
        min_area_px: Smallest defect by class name, as in the manifest.

    The result raises EngineError where inference fails.
    """

    def segment(image: NDArray[np.uint8]) -> Segmented:
        mask, score = segment_image(engine, image)
        return reported(Segmented(mask=mask, score=score), min_area_px)

    return segment


def seen_images(bundle: Bundle) -> frozenset[str]:
    """Return the pixel digests of the images that the model was trained or tuned on.

    Raises:
        BundleError: The file of digests is damaged.
    """
    if SEEN_FILE not in bundle.manifest.files:
        return frozenset()
    try:
        return frozenset(bundle.read(SEEN_FILE).decode("ascii").split())
    except UnicodeDecodeError as error:
        raise BundleError(f"{bundle.path}: {SEEN_FILE} is not a list of digests") from error
