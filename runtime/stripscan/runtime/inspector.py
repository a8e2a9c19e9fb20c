"""One coil under one camera: blocks in, changes for the store out."""

import dataclasses
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.block import Block, LineRange
from stripscan.contract.classes import DefectClass
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.manifest import Manifest
from stripscan.contract.tiling import TileGrid
from stripscan.runtime.axis import CoilAxis
from stripscan.runtime.bands import Band, BandBuilder, Span
from stripscan.runtime.conditioning.conditioner import Conditioner
from stripscan.runtime.conditioning.flat_field import FlatField
from stripscan.runtime.encoder import Encoder, Placed
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.gate import Gate
from stripscan.runtime.gating import Judge, Look
from stripscan.runtime.measure import Metric
from stripscan.runtime.panorama.geometry import Share
from stripscan.runtime.panorama.ledger import CameraLedger
from stripscan.runtime.segment import Segmenter
from stripscan.runtime.station import Station
from stripscan.runtime.stitching import Reach, Step, StreamingLabeller
from stripscan.runtime.store_records import Picture, Stat
from stripscan.runtime.strip_view import thinned
from stripscan.runtime.tracker import Changes, DefectTracker
from stripscan.runtime.trust import BlockTrust
from stripscan.runtime.window import LineWindow

_WINDOW_TILES = 4
_BANDS_AT_ONCE = 16  # so many bands of a block share batches where few of their tiles are inferred


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one band changes.

    Attributes:
        changes: Defects and masks.
        pictures: Pictures by defect number.
        coverage: What is now known of the band's lines.
        settled_m: Each defect that ends before this place, in m, was given out as ended.
        host_ns: ``time.monotonic_ns()`` when the last line that the band needed was in memory.
        thumb: uint8 ``[rows, columns]``, the band in small; None where there is none.
    """

    changes: Changes
    pictures: tuple[tuple[int, Picture], ...]
    coverage: tuple[CoverageInterval, ...]
    settled_m: float
    host_ns: int
    thumb: NDArray[np.uint8] | None = None


def classes_of(manifest: Manifest) -> tuple[DefectClass, ...]:
    """Return the classes that a bundle can find."""
    return tuple(DefectClass(**entry.model_dump()) for entry in manifest.classes)


class CoilInspector:
    """The chain from blocks to defects on one surface, without threads, clocks or files.

    Args:
        coil: Name of the coil.
        station: Camera and stitching.
        manifest: Classes, smallest areas and tile size of the model.
        engine: What runs the model.
        width_px: Width of the camera's image.
        flat_field: Gain and offset of the camera's columns, if they were learned.
        trust: Judges the camera's blocks, where it has done so before; a new one if None.
        gate: Marks what could be a defect; needed where the station gates its tiles, or where
            ``push`` is asked to hurry.
        shares: Who owns which columns, where several cameras make the image; their blocks were
            judged before they were joined.
        numbers: Numbers for defects, where other surfaces have theirs from the same; from 1 on
            if None.
    """

    def __init__(
        self,
        *,
        coil: str,
        station: Station,
        manifest: Manifest,
        engine: Engine,
        width_px: int,
        flat_field: FlatField | None = None,
        trust: BlockTrust | None = None,
        gate: Gate | None = None,
        shares: Sequence[Share] = (),
        numbers: Iterator[int] | None = None,
    ) -> None:
        inference, camera = station.inference, station.camera
        grid = tile_grid(station, manifest, width_px=width_px)
        reach = reach_px(
            station.stitch.join_mm, mm_per_line=camera.mm_per_line, mm_per_px=camera.mm_per_px
        )
        self._grid = grid
        self._camera = camera
        self._axis = CoilAxis()
        # Where a running strip is cut into coils, its lines are placed before they are cut.
        setup = station.encoder if station.coil.control == "run" else None
        self._encoder = Encoder(setup, mm_per_line=camera.mm_per_line) if setup else None
        self._trust = trust or BlockTrust(mm_per_px=camera.mm_per_px)
        self._bands = BandBuilder(grid)
        segmenter = Segmenter(engine, grid, batch=inference.batch)
        self._judge = Judge(segmenter, grid, gate=gate, gated=inference.gate)
        self._at_once = _BANDS_AT_ONCE if inference.gate else 1
        self._reach_lines = reach.lines
        self._labeller = StreamingLabeller(width_px=width_px, reach=reach)
        self._tracker = DefectTracker(
            coil=coil,
            classes={c.id: c for c in classes_of(manifest)},
            min_area_px=manifest.min_area_px,
            surface=camera.surface,
            numbers=numbers,
        )
        self._window = LineWindow(
            width_px=width_px,
            lines=_WINDOW_TILES * grid.tile_px,
            picture_px=station.report.picture_px,
        )
        self._condition = Conditioner(camera=camera, width_px=width_px, flat_field=flat_field)
        self._edges: NDArray[np.float32] = np.empty((0, 2), np.float32)
        self._edges_first = 0
        self._views = CameraLedger(shares) if shares else None
        self._covered_m: dict[str, float] = {}
        self._host_ns = 0
        self._abandoned = False

    @property
    def lines(self) -> int:
        """Lines that have arrived."""
        return self._bands.next_line

    @property
    def core_lines(self) -> int:
        """Lines that a row of tiles keeps."""
        return self._grid.core_px

    @property
    def length_m(self) -> float:
        """Length of strip that has passed, in m."""
        return self._axis.along_m(self.lines) if self.lines else 0.0

    @property
    def defects(self) -> int:
        """Defects that were reported so far."""
        return self._tracker.count

    def stats(self) -> dict[str, Stat]:
        """Return figures of strip, light, encoder and camera so far."""
        figures = self._condition.stats()
        if self._encoder:
            figures |= self._encoder.counts()
        if not self._views and self._trust.dead_columns:
            figures["dead_columns"] = self._trust.dead_columns
        return figures | self._judge.stats()

    def push(
        self, block: Block, *, spans: tuple[Span, ...] | None = None, hurry: bool = False
    ) -> Iterator[Outcome]:
        """Take in a block and yield what its bands change.

        With an encoder that is the block before: this one tells how far it went.

        Args:
            block: The next block.
            spans: What cannot be trusted of it; judged here where None. Who cuts blocks judges
                them whole, behind the encoder. Those of single cameras count for their columns.
            hurry: The gate alone looks at the bands that become complete: nothing is found in
                them, and their lines are degraded.

        Raises:
            BundleError: The model found a class that its manifest does not have.
            EngineError: Inference failed.
        """
        placed = self._encoder.place(block) if self._encoder else (Placed(block=block),)
        yield from self._inspect(self._bands_of(placed, spans), hurry=hurry)

    def finish(self) -> Iterator[Outcome]:
        """Yield what is left when the coil ends, and close all defects.

        Raises:
            BundleError, EngineError: See ``push``.
        """
        last = self._bands_of(self._encoder.flush() if self._encoder else (), None)
        rest = chain(last, self._bands.flush())
        if self._abandoned:
            deque(rest, maxlen=0)  # their lines have arrived all the same
        else:
            yield from self._inspect(rest, hurry=False)
        yield self._outcome(self._labeller.flush(), (), self._host_ns)

    def _bands_of(
        self, placed: tuple[Placed, ...], judged: tuple[Span, ...] | None
    ) -> Iterator[Band]:
        for each in placed:
            self._axis.add(each.block)
            if judged is None:
                spans = self._trust.spans_of(each)
            elif self._views:
                self._views.add(judged)
                spans = each.spans
            else:
                spans = judged
            yield from self._bands.push(each.block, spans=spans)

    def abandon(self) -> None:
        """Let ``finish`` only close what is open: after a failure no more strip is inspected."""
        self._abandoned = True

    def _inspect(self, bands: Iterator[Band], *, hurry: bool) -> Iterator[Outcome]:
        told = map(self._told, bands)
        while group := list(islice(told, self._at_once)):
            # Up to here pixels are the camera's own: even light would hide a lens that went dark.
            even = [self._condition.corrected(band.pixels) for band in group]
            looks = self._judge.look(group, even, hurry=hurry)
            # Nothing has changed up to here: if inference failed, all that was inspected is whole.
            yield from map(self._take_in, group, even, looks)

    def _told(self, band: Band) -> Band:
        """Return a band with what each camera saw of it, where there are several."""
        return dataclasses.replace(band, spans=self._views.take(band)) if self._views else band

    def _take_in(self, band: Band, even: NDArray[np.uint8], look: Look) -> Outcome:
        if self._views:
            self._views.clear(look.mask, band, look.spans)
        self._host_ns = band.host_ns
        core = slice(self._grid.halo_px, self._grid.halo_px + band.core.lines)
        edges = self._condition.follow(band.pixels[core], even[core], look.seen)
        self._condition.mask(look.mask, edges, look.seen)
        self._edges = np.concatenate([self._edges, edges])
        self._window.push(even[core])
        step = self._labeller.push(look.mask, look.score)
        outcome = self._outcome(step, look.spans, band.host_ns)
        return dataclasses.replace(outcome, thumb=thinned(even[core]))

    def _outcome(self, step: Step, spans: tuple[Span, ...], host_ns: int) -> Outcome:
        changes = self._tracker.apply(step, self._metric())
        coverage = tuple(self._interval(span) for span in spans)
        keep = self._labeller.next_line
        # What reaches out to the last line that is labelled may still go on.
        settled_m = self._axis.along_m(max(keep - self._reach_lines - 1, 0))
        self._edges = self._edges[keep - self._edges_first :]
        self._edges_first = keep
        self._axis.forget_before(keep)
        return Outcome(
            changes=changes,
            pictures=tuple(self._pictures(changes.defects)),
            coverage=coverage,
            settled_m=settled_m,
            host_ns=host_ns,
        )

    def _metric(self) -> Metric:
        lines = np.arange(self._edges_first, self._edges_first + len(self._edges) + 1)
        return Metric(
            first_line=self._edges_first,
            along_m=self._axis.along_many_m(lines),
            edges=self._edges,
            mm_per_px=self._camera.mm_per_px,
        )

    def _pictures(self, defects: tuple[Defect, ...]) -> Iterator[tuple[int, Picture]]:
        for defect in defects:
            if defect.phase is DefectPhase.UPDATE:
                continue
            picture = self._window.picture(defect)
            if picture is not None:
                yield defect.number, picture

    def _interval(self, span: Span) -> CoverageInterval:
        # The encoder of the next block may place the end of this one elsewhere; nothing may gape.
        camera = span.camera or self._camera.name
        start_m = self._covered_m.get(camera)
        end_m = self._covered_m[camera] = self._axis.along_m(span.lines.stop)
        notes = [span.reason]
        if span.status is CoverageStatus.INSPECTED:
            notes += [self._judge.note, self._condition.note]
        return CoverageInterval(
            camera=camera,
            lines=span.lines,
            along_start_m=self._axis.along_m(span.lines.start) if start_m is None else start_m,
            along_end_m=end_m,
            status=span.status,
            reason="; ".join(filter(None, notes)),
        )


def tile_grid(station: Station, manifest: Manifest, *, width_px: int) -> TileGrid:
    """Return the tiles that a station asks for, or its bundle where the station says nothing.

    Raises:
        ConfigError: They leave nothing of a tile.
    """
    inference = station.inference
    return TileGrid(
        width_px=width_px,
        tile_px=tile_px_of(station, manifest),
        halo_px=manifest.input.halo_px if inference.halo_px is None else inference.halo_px,
    )


def tile_px_of(station: Station, manifest: Manifest) -> int:
    """Return the side of the tiles in px: the station's, or else the gate's, or the bundle's."""
    inference = station.inference
    gated = manifest.gate.tile_px if inference.gate and manifest.gate else None
    return inference.tile_px or gated or manifest.input.tile_px


def reach_px(join_mm: float, *, mm_per_line: float, mm_per_px: float) -> Reach:
    """Return the reach that joins pieces whose gap is at most ``join_mm``.

    Two pieces whose gap is ``g`` pixels touch once both are dilated by ``ceil(g / 2)``.
    """
    return Reach(lines=math.ceil(join_mm / mm_per_line / 2), px=math.ceil(join_mm / mm_per_px / 2))


def rest_of_coil(
    *, camera: str, lines: LineRange, along_start_m: float, mm_per_line: float
) -> CoverageInterval:
    """Return the coverage of planned strip that never arrived."""
    return CoverageInterval(
        camera=camera,
        lines=lines,
        along_start_m=along_start_m,
        along_end_m=along_start_m + lines.lines * mm_per_line / 1000.0,
        status=CoverageStatus.UNKNOWN,
        reason="the run was stopped before this strip arrived",
    )
