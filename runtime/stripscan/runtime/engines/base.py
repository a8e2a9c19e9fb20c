"""The seam between the inspection and whatever runs the model."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class Engine(Protocol):
    """Runs a model that keeps the contract of ``contract.graph``."""

    @property
    def description(self) -> str:
        """What runs the model, for logs and reports."""
        ...

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        """Return masks and scores.

        Args:
            tiles: uint8 ``[N, H, W]``, 0–255; ``H`` and ``W`` multiples of 32.

        Returns:
            Class ids and scores, both uint8 ``[N, H, W]``.

        Raises:
            EngineError: Inference failed.
        """
        ...
