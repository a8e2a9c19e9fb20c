"""Streaming labelling: connected defects joined across tiles, bands and any length of coil.

Memory is bound by the width of the strip and the number of open defects, not by the coil. The
result is that of labelling the whole coil's mask at once, dilated by ``reach``, and keeping the
undilated pixels: two pieces whose gap is at most twice the reach are one defect.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.rle import Runs, runs_of

Mask = NDArray[np.uint8]
Labels = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a piece of a defect reaches out to another.

    Attributes:
        lines: Along, in lines.
        px: Across, in pixels.
    """

    lines: int
    px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a stretch of strip adds to one component.

    Attributes:
        component: Number of the component, in the order of appearance.
        runs: int64 ``[n, 3]``, of this stretch.
        pixels: int64 ``[256]``: pixels by class id.
        score: float64 ``[256]``: sum of the scores (0–255) by class id.
    """

    component: int
    runs: Runs
    pixels: NDArray[np.int64]
    score: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a stretch of strip changes.

    Attributes:
        merged: Pairs ``(gone, into)``: components that turned out to be one. Apply these first.
        pieces: What is added.
        closed: Components that cannot grow any more.
    """

    merged: tuple[tuple[int, int], ...] = ()
    pieces: tuple[Piece, ...] = ()
    closed: tuple[int, ...] = ()


class StreamingLabeller:
    """Labels a mask that arrives in stretches of lines.

    Args:
        width_px: Width of the strip image.
        reach: How far pieces reach out.
    """

    def __init__(self, *, width_px: int, reach: Reach) -> None:
        self._reach = reach
        # A rectangle is dilated side by side: cost and memory grow with its sides, not its area.
        self._along = np.ones((2 * reach.lines + 1, 1), np.uint8)
        self._across = np.ones((1, 2 * reach.px + 1), np.uint8)
        self._mask = np.zeros((0, width_px), np.uint8)
        self._score = np.zeros((0, width_px), np.uint8)
        self._first = 0  # line of the first row of _mask
        self._next = 0  # line to be labelled next
        self._bottom = np.zeros(width_px, np.int64)  # component + 1 on the line before, or 0
        self._count = 0
        self._busy = False  # whether a defect is open, or lines with one wait to be labelled

    @property
    def next_line(self) -> int:
        """The first line that is not labelled yet."""
        return self._next

    def push(self, mask: Mask, score: Mask) -> Step:
        """Take in the next lines.

        Args:
            mask: uint8 ``[lines, width]``, class ids, 0 background.
            score: uint8 ``[lines, width]``.
        """
        if not (self._busy or cv2.countNonZero(mask)):
            return self._pass(len(mask))
        self._mask = np.concatenate([self._mask, mask])
        self._score = np.concatenate([self._score, score])
        return self._label(self._first + len(self._mask) - self._reach.lines)

    def _pass(self, lines: int) -> Step:
        """Take in lines without a defect, while none is open: nothing has to be labelled."""
        arrived = self._first + len(self._mask) + lines
        self._next = max(self._next, arrived - self._reach.lines)
        self._first = max(self._next - self._reach.lines, self._first)
        shape = (arrived - self._first, self._mask.shape[1])
        self._mask, self._score = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        return Step()

    def flush(self) -> Step:
        """Label what is left and close everything."""
        step = self._label(self._first + len(self._mask))
        open_ids = np.unique(self._bottom[self._bottom > 0]) - 1
        self._bottom[:] = 0
        return Step(
            merged=step.merged,
            pieces=step.pieces,
            closed=(*step.closed, *(int(i) for i in open_ids)),
        )

    def _label(self, stop: int) -> Step:
        start = self._next
        if stop <= start:
            self._busy = bool(self._mask.any() or self._bottom.any())
            return Step()
        rows = slice(start - self._first, stop - self._first)
        busy = self._mask.any() or self._bottom.any()
        step = self._connect(rows, start) if busy else Step()
        self._next = stop
        keep = max(stop - self._reach.lines, self._first)
        self._mask = self._mask[keep - self._first :]
        self._score = self._score[keep - self._first :]
        self._first = keep
        self._busy = bool(self._mask.any() or self._bottom.any())
        return step

    def _connect(self, rows: slice, start: int) -> Step:
        wide = (self._mask > 0).astype(np.uint8)
        for kernel in (self._along, self._across):
            wide = np.asarray(cv2.dilate(wide, kernel, borderValue=0), np.uint8)
        count, labels = cv2.connectedComponents(wide[rows], connectivity=8, ltype=cv2.CV_32S)
        component, merged = self._identify(np.asarray(labels, np.int32), int(count))
        was_open = np.unique(self._bottom[self._bottom > 0]) - 1
        self._bottom = np.where(labels[-1] > 0, component[labels[-1]] + 1, 0)
        still_open = set((np.unique(self._bottom[self._bottom > 0]) - 1).tolist())
        gone = {a for a, _ in merged}
        seen = {int(i) for i in was_open} | {int(i) for i in component[1:]}
        return Step(
            merged=tuple(merged),
            pieces=tuple(self._pieces(rows, start, np.asarray(labels, np.int32), component)),
            closed=tuple(sorted(seen - still_open - gone)),
        )

    def _identify(
        self, labels: Labels, count: int
    ) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
        """Return the component of each label, and which components became one."""
        touching = _touching(self._bottom, labels[0])
        parent: dict[tuple[str, int], tuple[str, int]] = {}

        def root(node: tuple[str, int]) -> tuple[str, int]:
            while parent.setdefault(node, node) != node:
                node = parent[node]
            return node

        for above, below in touching:
            parent[root(("label", below))] = root(("component", above - 1))
        groups: dict[tuple[str, int], list[int]] = {}
        for node in list(parent):
            if node[0] == "component":
                groups.setdefault(root(node), []).append(node[1])
        merged = [
            (gone, min(members))
            for members in groups.values()
            for gone in sorted(members)
            if gone != min(members)
        ]
        component = np.full(count, -1, np.int64)
        for label in range(1, count):
            node = root(("label", label))
            if node in groups:
                component[label] = min(groups[node])
            else:
                component[label] = self._count
                self._count += 1
        return component, merged

    def _pieces(
        self, rows: slice, start: int, labels: Labels, component: NDArray[np.int64]
    ) -> list[Piece]:
        mask, score = self._mask[rows], self._score[rows]
        runs = runs_of(mask, first_line=start)
        if not len(runs):
            return []
        owner = component[labels[runs[:, 0] - start, runs[:, 1]]]
        order = np.argsort(owner, kind="stable")
        ids, starts = np.unique(owner[order], return_index=True)
        pixel = np.flatnonzero(mask.ravel() != 0)
        index = np.searchsorted(ids, component[labels.ravel()[pixel]])
        key = index * 256 + mask.ravel()[pixel]
        size = len(ids) * 256
        pixels = np.bincount(key, minlength=size).reshape(-1, 256)
        scores = np.bincount(key, weights=score.ravel()[pixel], minlength=size).reshape(-1, 256)
        return [
            Piece(component=int(number), runs=part, pixels=pixels[i], score=scores[i])
            for i, (number, part) in enumerate(
                zip(ids, np.split(runs[order], starts[1:]), strict=True)
            )
        ]


def _touching(above: NDArray[np.int64], below: Labels) -> list[tuple[int, int]]:
    """Return the pairs of numbers that touch, diagonals included, where neither is 0."""
    width = len(above)
    pairs = []
    for shift in (-1, 0, 1):
        a = above[max(shift, 0) : width + min(shift, 0)]
        b = below[max(-shift, 0) : width - max(shift, 0)]
        both = (a > 0) & (b > 0)
        pairs.append(np.stack([a[both], b[both].astype(np.int64)], axis=1))
    return [(int(a), int(b)) for a, b in np.unique(np.concatenate(pairs), axis=0)]
