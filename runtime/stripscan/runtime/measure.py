"""What is known of a component so far, in pixels and in millimetres."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.rle import Runs
from stripscan.runtime.stitching import Piece

CLASS_IDS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Pitch and strip edges of the lines that are being measured.

    Attributes:
        first_line: Line of the first entry.
        along_m: float64 ``[lines + 1]``: start of each line from the head, in m, and the end of
            the last.
        edges: float32 ``[lines, 2]``: strip edges in camera columns.
        mm_per_px: Pitch across in mm.
    """

    first_line: int
    along_m: NDArray[np.float64]
    edges: NDArray[np.float32]
    mm_per_px: float


@dataclass(slots=True, kw_only=True)
class Measure:
    """Sums and extremes over the pixels of one component; two of them add up."""

    first_line: int = 2**62
    last_line: int = -1
    first_px: int = 2**31
    last_px: int = -1
    along_start_m: float = np.inf
    along_end_m: float = -np.inf
    across_left_mm: float = np.inf
    across_right_mm: float = -np.inf
    edge_right_mm: float = np.inf
    area_mm2: float = 0.0
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(CLASS_IDS, np.int64))
    score: NDArray[np.float64] = field(default_factory=lambda: np.zeros(CLASS_IDS))

    @property
    def area_px(self) -> int:
        """Pixels in the mask."""
        return int(self.pixels.sum())

    @property
    def class_id(self) -> int:
        """The class with the largest score-weighted share."""
        return int(np.argmax(self.score + self.pixels * 1e-6))

    @property
    def shares(self) -> NDArray[np.float64]:
        """Score-weighted share of each class id; sums to 1."""
        weight = self.score + self.pixels * 1e-6
        result: NDArray[np.float64] = weight / weight.sum()
        return result

    @property
    def confidence(self) -> float:
        """Mean score of the class over its pixels, 0–1."""
        number = self.class_id
        return float(self.score[number] / max(self.pixels[number], 1) / 255.0)

    def add(self, other: "Measure") -> None:
        """Take in another part of the same component."""
        self.first_line = min(self.first_line, other.first_line)
        self.last_line = max(self.last_line, other.last_line)
        self.first_px = min(self.first_px, other.first_px)
        self.last_px = max(self.last_px, other.last_px)
        self.along_start_m = min(self.along_start_m, other.along_start_m)
        self.along_end_m = max(self.along_end_m, other.along_end_m)
        self.across_left_mm = min(self.across_left_mm, other.across_left_mm)
        self.across_right_mm = max(self.across_right_mm, other.across_right_mm)
        self.edge_right_mm = min(self.edge_right_mm, other.edge_right_mm)
        self.area_mm2 += other.area_mm2
        self.pixels = self.pixels + other.pixels
        self.score = self.score + other.score


def measure(piece: Piece, metric: Metric) -> Measure:
    """Return the measure of a piece; its lines lie within those of the metric."""
    runs: Runs = piece.runs
    line = runs[:, 0] - metric.first_line
    pitch_mm = np.diff(metric.along_m)[line] * 1000.0
    left, right = metric.edges[line, 0], metric.edges[line, 1]
    pitch_px = metric.mm_per_px
    return Measure(
        first_line=int(runs[:, 0].min()),
        last_line=int(runs[:, 0].max()),
        first_px=int(runs[:, 1].min()),
        last_px=int(runs[:, 2].max()) - 1,
        along_start_m=float(metric.along_m[line.min()]),
        along_end_m=float(metric.along_m[line.max() + 1]),
        across_left_mm=float((runs[:, 1] - left).min() * pitch_px),
        across_right_mm=float((runs[:, 2] - left).max() * pitch_px),
        edge_right_mm=float((right - runs[:, 2]).min() * pitch_px),
        area_mm2=float(((runs[:, 2] - runs[:, 1]) * pitch_mm).sum() * pitch_px),
        pixels=piece.pixels,
        score=piece.score,
    )
