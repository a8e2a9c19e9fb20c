"""What of a mask is reported: defects below the smallest area of their class are not."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from stripscan.contract.classes import CLASS_ID
from stripscan.dataset.scoring.defects import components, majority_classes
from stripscan.dataset.scoring.segmented import Segmented


def reported(segmented: Segmented, min_area_px: Mapping[str, int]) -> Segmented:
    """Return what was seen without the components that are too small to be reported.

    Components are 8-connected over all classes, and of the class of most of their pixels, as in
    the records of an inspection.

    Args:
        segmented: What was seen.
        min_area_px: Smallest area by class name; a class without one keeps all.
    """
    mask = segmented.mask
    numbers, areas = components(mask > 0)
    if len(areas) == 1:
        return segmented
    least = np.zeros(len(CLASS_ID) + 1, np.int64)
    for name, area_px in min_area_px.items():
        least[CLASS_ID[name]] = area_px
    kept = areas >= least[majority_classes(numbers, mask, count=len(areas))]
    return replace(segmented, mask=np.where(kept[numbers], mask, 0).astype(np.uint8))
