"""The contract of a deployed model: one mono image in, one class id and one score a pixel out.

Normalisation, per-class thresholds and the choice of the class are inside the graph, so a
deployed model cannot be fed wrong preprocessing (docs/decisions/0002-uint8-graph.md).
"""

from typing import Final

IMAGE: Final = "image"
"""Input, uint8 ``[N, H, W]``, 0–255, mono; ``H`` and ``W`` multiples of ``SIZE_MULTIPLE_PX``."""

MASK: Final = "mask"
"""Output, uint8 ``[N, H, W]``: 0 is background, else the class id."""

SCORE: Final = "score"
"""Output, uint8 ``[N, H, W]``, 0–255: confidence of the class in ``mask``.

For background it is the confidence that there is no defect.
"""

MARKS: Final = "marks"
"""Output of a gate, uint8 ``[N, h, w]``: 1 where a cell could hold a defect, else 0.

Its input is ``IMAGE``, uint8 ``[N, 2, H, W]``: mean and roughness of four by four pixels, as of
``stripscan.dataset.reduction``. A cell has ``cell_px / 4`` of these on a side. Number, height and
width are free, the latter two whole cells.
"""

SIZE_MULTIPLE_PX: Final = 32
"""Height and width of the input must be multiples of this, in pixels."""
