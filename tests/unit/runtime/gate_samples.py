"""A gate to follow by hand: it marks the cells in which ``BoxEngine`` finds something."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from unit.runtime.inspection_samples import BoxEngine, Pixels

CELL_PX = 16


class BoxGate:
    """Marks a cell if and only if the engine finds something in it."""

    cell_px = CELL_PX

    def __init__(self) -> None:
        self.images = 0

    def marks(self, images: Sequence[Pixels]) -> list[NDArray[np.bool_]]:
        self.images += len(images)
        return [cells_of(BoxEngine().infer(image[None])[0][0] > 0) for image in images]

    def close(self) -> None:
        pass


def cells_of(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    lines, width = found.shape
    below, right = -lines % CELL_PX, -width % CELL_PX
    whole = np.pad(found, ((0, below), (0, right)))
    rows, columns = whole.shape[0] // CELL_PX, whole.shape[1] // CELL_PX
    return whole.reshape(rows, CELL_PX, columns, CELL_PX).any(axis=(1, 3))


def dark_spot(strip: Pixels, line: int, column: int, *, side: int = 12) -> None:
    cv2.rectangle(strip, (column, line), (column + side - 1, line + side - 1), 20, thickness=-1)
