"""What surrounds the model in the chain of one camera."""

import logging

import numpy as np
from numpy.typing import NDArray

from stripscan.runtime.conditioning.drift import SAMPLE_LINES, DriftWatch
from stripscan.runtime.conditioning.edge_guard import EdgeGuard
from stripscan.runtime.conditioning.flat_field import FlatField, Flattener, Pixels
from stripscan.runtime.conditioning.strip_meter import StripMeter, found_edges
from stripscan.runtime.edges import Edges, StripEdges
from stripscan.runtime.station import CameraSection
from stripscan.runtime.store_records import Stat

logger = logging.getLogger(__name__)

_UNLEARNED_PX = 32


class Conditioner:
    """Evens out the light before the model, and minds the strip's edges behind it.

    Args:
        camera: Edges, margin and alarm.
        width_px: Width of the camera's image.
        flat_field: What the camera's columns must be multiplied with, if that was learned.
    """

    def __init__(
        self, *, camera: CameraSection, width_px: int, flat_field: FlatField | None
    ) -> None:
        self._camera = camera
        self._width_px = width_px
        self._field = flat_field
        self._flattener = Flattener(flat_field) if flat_field else None
        self._edges = StripEdges(width_px=width_px, detect=camera.strip_edges == "detect")
        self._meter = StripMeter(width_px=width_px, mm_per_px=camera.mm_per_px)
        self._guard = _guard(camera, width_px)
        self._drift = _drift(camera, flat_field)
        self._masked_px = 0
        self._warned = False

    @property
    def note(self) -> str:
        """What is left out even where strip is inspected; empty where nothing is."""
        margin_mm = self._camera.edge_margin_mm
        return f"without {margin_mm:g} mm at each edge" if margin_mm else ""

    def corrected(self, pixels: Pixels) -> Pixels:
        """Return lines as they are inspected and shown, uint8 ``[lines, width]``."""
        return self._flattener.apply(pixels) if self._flattener else pixels

    def follow(self, raw: Pixels, corrected: Pixels, seen: NDArray[np.bool_]) -> Edges:
        """Return the edges of the next lines, and watch edges and light.

        The edges are looked for in what the camera saw: a gain that mends the dim ends of the view
        would light up what lies beside the strip. Only dead columns are filled in.

        Args:
            raw: uint8 ``[lines, width]``, as the camera saw them.
            corrected: uint8 ``[lines, width]``, what ``corrected`` made of them.
            seen: bool ``[lines]``: lines that were inspected.
        """
        repaired = self._flattener.repaired(raw) if self._flattener else raw
        edges = self._edges.push(repaired)
        self._meter.push(edges[seen])
        rows = np.flatnonzero(seen)
        some = rows[::SAMPLE_LINES]
        if self._drift and len(some):
            self._drift.push(corrected[some], edges[some], lines=len(rows))
        if self._field and not self._warned:
            self._check_is_learned(self._field, edges[some])
        return edges

    def mask(self, mask: Pixels, edges: Edges, seen: NDArray[np.bool_]) -> None:
        """Clear what is found outside the strip and in the margin, where one is set.

        Args:
            mask: uint8 ``[lines, width]``, class ids; changed.
            edges: What ``follow`` gave for its lines.
            seen: bool ``[lines]``: lines that were inspected.
        """
        if self._guard is None:
            return
        first, stop = self._guard.keep(edges, seen)
        column = np.arange(self._width_px)
        for part in (slice(0, int(first.max())), slice(int(stop.min()), None)):
            beyond = (column[part] < first[:, None]) | (column[part] >= stop[:, None])
            self._masked_px += int(np.count_nonzero(mask[:, part][beyond]))
            mask[:, part][beyond] = 0

    def stats(self) -> dict[str, Stat]:
        """Return the coil's figures: strip, margin, flat field and light."""
        figures = self._meter.stats()
        if self._guard:
            area_mm2 = self._camera.mm_per_px * self._camera.mm_per_line
            figures["edge_margin_mm"] = self._camera.edge_margin_mm
            figures["masked_at_edges_mm2"] = self._masked_px * area_mm2
        if self._field:
            figures["flat_field"] = f"{self._field.origin.learned_at} {self._field.digest[:12]}"
            figures["dead_columns_filled"] = int(self._field.dead.sum())
        if self._drift:
            figures |= self._drift.stats()
        return figures

    def _check_is_learned(self, field: FlatField, edges: Edges) -> None:
        found = found_edges(edges, self._width_px)
        known = np.flatnonzero(field.learned)
        if not len(found) or not len(known):
            return
        left, right = np.median(found, axis=0)
        beyond_px = max(known[0] - left, right - 1 - known[-1])
        if beyond_px > _UNLEARNED_PX:
            self._warned = True
            logger.warning(
                "the strip reaches columns that the flat field was not learned on: "
                "learn it on a wider strip, or on a white target",
                extra={"camera": self._camera.name, "columns": int(beyond_px)},
            )


def _guard(camera: CameraSection, width_px: int) -> EdgeGuard | None:
    if not camera.edge_margin_mm:
        return None
    margin_px = camera.edge_margin_mm / camera.mm_per_px
    return EdgeGuard(width_px=width_px, margin_px=margin_px, mm_per_line=camera.mm_per_line)


def _drift(camera: CameraSection, field: FlatField | None) -> DriftWatch | None:
    if field is None or field.origin.target != "strip":
        return None
    return DriftWatch(
        camera=camera.name,
        field=field,
        alarm_percent=camera.drift_alarm_percent,
        mm_per_line=camera.mm_per_line,
    )
