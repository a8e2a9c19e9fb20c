"""The gate: a cheap judge that looks at all lines before the segmenter.

It marks the cells of a band that could hold a defect. Where only tiles with a marked cell are
inferred, cost grows with defects and not with metal; docs/explanation/gate.md tells what is lost.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stripscan.contract.errors import BundleError, EngineError
from stripscan.contract.graph import IMAGE, MARKS
from stripscan.contract.manifest_gate import GateDraft
from stripscan.contract.tiling import TileGrid
from stripscan.dataset.reduction import reduced
from stripscan.runtime.engines.onnxruntime import open_session

Pixels = NDArray[np.uint8]
Marks = NDArray[np.bool_]


class Gate(Protocol):
    """Marks cells that could hold a defect."""

    @property
    def cell_px(self) -> int:
        """Side of a cell in px."""
        ...

    def marks(self, images: Sequence[Pixels]) -> list[Marks]:
        """Return which cells of each image are marked.

        Args:
            images: uint8 ``[lines, width]``, of any sizes.

        Returns:
            bool ``[ceil(lines / cell_px), ceil(width / cell_px)]`` of each.

        Raises:
            EngineError: The judge failed.
        """
        ...

    def close(self) -> None:
        """Give back what it holds of the machine; it cannot be used after."""


class OnnxGate:
    """The gate of a bundle, on the CPU, whatever runs the segmenter.

    Args:
        model: Bytes of its ONNX file.
        entry: What the manifest says of it.
        threads: CPU threads, each with an image of its own; 0 takes one a core.

    Raises:
        EngineError: ONNX Runtime cannot load the model.
        BundleError: The graph's inputs or outputs are not those of the contract.
    """

    def __init__(self, model: bytes, entry: GateDraft, *, threads: int = 0) -> None:
        self._entry = entry
        self._session = open_session(model, threads=1)
        _check_contract(self._session)
        count = threads or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="gate")

    @property
    def cell_px(self) -> int:
        """Side of a cell in px."""
        return self._entry.cell_px

    def marks(self, images: Sequence[Pixels]) -> list[Marks]:
        """Return which cells of each image are marked; see ``Gate.marks``."""
        try:
            if len(images) == 1:
                return [self._marks(images[0])]
            return list(self._pool.map(self._marks, images))
        except Exception as error:  # onnxruntime raises a class of its own for each status
            raise EngineError(f"the gate failed on {len(images)} bands: {error}") from error

    def close(self) -> None:
        """End its threads."""
        self._pool.shutdown()

    def _marks(self, image: Pixels) -> Marks:
        lines, width = image.shape
        cell = self._entry.cell_px
        below, right = -lines % cell, -width % cell
        if below or right:
            border = cv2.BORDER_REFLECT_101
            image = np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, border), np.uint8)
        planes = reduced(image)
        (marks,) = self._session.run([MARKS], {IMAGE: planes[None]})
        return np.asarray(marks[0], np.bool_)


def passed_tiles(marks: Marks, grid: TileGrid, *, cell_px: int, core_lines: int) -> Marks:
    """Return which tiles of a band are worth inferring, bool ``[columns]``.

    A tile is, where a marked cell shares a pixel with its core.

    Args:
        marks: Cells of the band with its halo, counted from its first line and first column.
        grid: The tiles.
        cell_px: Side of a cell in px.
        core_lines: Lines of the band's core.
    """
    columns = marked_in_core(marks, grid, cell_px=cell_px, core_lines=core_lines).any(axis=0)
    starts = np.arange(grid.columns) * grid.core_px
    stops = np.minimum(starts + grid.core_px, grid.width_px)
    up_to = np.concatenate([[0], np.cumsum(columns)])
    first, last = starts // cell_px, -(-stops // cell_px)
    return np.asarray(up_to[last] > up_to[first])


def marked_in_core(marks: Marks, grid: TileGrid, *, cell_px: int, core_lines: int) -> Marks:
    """Return the rows of cells that share a line with the core of a band."""
    top = grid.halo_px // cell_px
    return marks[top : -(-(grid.halo_px + core_lines) // cell_px)]


def _check_contract(session: onnxruntime.InferenceSession) -> None:
    nodes = [*session.get_inputs(), *session.get_outputs()]
    found = {node.name: node.type for node in nodes}
    wanted = dict.fromkeys((IMAGE, MARKS), "tensor(uint8)")
    if found != wanted:
        raise BundleError(
            f"the gate's inputs and outputs are {found}, stripscan needs {wanted}: make it with "
            "'stripscan train-gate' and 'stripscan bundle add-gate'"
        )
