"""The seam between the inspection and whatever runs the model."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import EngineError
from stripscan.contract.graph import SIZE_MULTIPLE_PX

Pixels = NDArray[np.uint8]

EngineName = Literal["onnx", "onnx-cuda", "onnx-tensorrt", "openvino", "tensorrt", "triton"]
"""ONNX Runtime on the CPU, with its CUDA or TensorRT provider, and engines of their own."""

Precision = Literal["fp32", "fp16", "int8"]


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

    def close(self) -> None:
        """Give back what it holds of the machine; it cannot be used after."""
        ...


def check_tiles(tiles: Pixels) -> None:
    """Check tiles for engines that would convert or reshape others without a word.

    Raises:
        EngineError: They are not uint8 ``[N, H, W]``, or their sides are no multiples of 32 px.
    """
    odd = tiles.ndim != 3 or any(side % SIZE_MULTIPLE_PX for side in tiles.shape[1:])
    if odd or tiles.dtype != np.uint8:
        raise EngineError(
            f"inference failed on tiles of {tiles.shape} {tiles.dtype}: the model takes uint8 "
            f"[N, H, W], H and W multiples of {SIZE_MULTIPLE_PX} px"
        )
