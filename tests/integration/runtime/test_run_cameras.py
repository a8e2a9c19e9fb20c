"""Several cameras through a whole station: the default model, real threads, a store, a report."""

import dataclasses
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.contract.block import Block
from stripscan.contract.defect import Defect
from stripscan.contract.errors import CameraLost, ConfigError
from stripscan.runtime.acquire import acquire, open_lines
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.daemon import run_station
from stripscan.runtime.line import Line
from stripscan.runtime.line_state import LineState
from stripscan.runtime.model_keeper import ModelKeeper
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.panorama.cameras import JoinedCameras
from stripscan.runtime.report.export import json_document
from stripscan.runtime.report.html import render_html
from stripscan.runtime.report.model import build_report
from stripscan.runtime.rules.load import load_rules
from stripscan.runtime.shutdown import Hangup
from stripscan.runtime.station import Station, load_station
from stripscan.runtime.store import Store
from stripscan.runtime.supervision import Supervisor
from unit.runtime.inspection_samples import MM_PER_LINE, MM_PER_PX, metal
from unit.runtime.line_samples import model

LENGTH_M, WIDTH = 2.0, 400
HEAD = 'name = "line 1"\n[camera]\nmm_per_px = 0.5\nmm_per_line = 0.5\n[store]\npath = "s.db"\n'
STRIP = f'kind = "simulator"\nwidth_px = {WIDTH}\nlength_m = {LENGTH_M}\ndefects_per_class = 3\n'


def view(name: str, surface: str, left: int, px: int, seed: int, *, block_lines: int) -> str:
    mirrored = str(surface == "bottom").lower()
    return (
        f'[[view]]\nname = "{name}"\nsurface = "{surface}"\nleft_mm = {left * 0.5}\n'
        f"mirrored = {mirrored}\n[view.source]\n{STRIP}seed = {seed}\nview_left_px = {left}\n"
        f"view_px = {px}\nmirrored = {mirrored}\nblock_lines = {block_lines}\n"
    )


def run(folder: Path, coil: str, text: str) -> None:
    file = folder / f"{coil}.toml"
    file.write_text(f'{HEAD}{text}[coil]\nid = "{coil}"\n', encoding="utf-8")
    run_station(load_station(file))


def found(store: Store, coil: str, surface: str) -> list[tuple[dict[str, Any], list[list[int]]]]:
    """Return the defects of a surface with their masks, without their numbers."""
    told = []
    for defect in store.defects(coil):
        if defect.surface == surface:
            fields = dataclasses.asdict(defect) | {"coil": "", "number": 0, "surface": ""}
            told.append((fields, store.runs(coil, defect.number).tolist()))
    return sorted(told, key=lambda pair: str(pair[1]))


def test_two_surfaces_of_two_cameras_are_what_one_camera_over_each_finds(tmp_path: Path) -> None:
    views = [
        view("top-left", "top", 0, 220, 7, block_lines=100),
        view("top-right", "top", 180, 220, 7, block_lines=333),
        view("bottom-left", "bottom", 0, 210, 8, block_lines=256),
        view("bottom-right", "bottom", 170, 230, 8, block_lines=64),
    ]
    run(tmp_path, "several", "".join(views))
    run(tmp_path, "top", f"[source]\n{STRIP}seed = 7\n")
    run(tmp_path, "bottom", f"[source]\n{STRIP}seed = 8\n")
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        several = store.defects("several")
        assert len({d.number for d in several}) == len(several)
        for surface in ("top", "bottom"):
            alone = found(store, surface, "top")
            assert len(alone) >= 5
            assert [d for d in alone if d[0]["first_px"] < 200 <= d[0]["last_px"]]
            for (fields, runs), (other, others) in zip(
                found(store, "several", surface), alone, strict=True
            ):
                assert runs == others
                assert {
                    k: pytest.approx(v) if isinstance(v, float) else v
                    for k, v in other.items()
                    if k not in {"class_share", "phase"}
                } == {k: v for k, v in fields.items() if k not in {"class_share", "phase"}}
        report = build_report(store, "several")
        assert store.coil("several").surface == "top, bottom"
    assert [span.camera for span in report.coverage] == [
        *("bottom-left", "bottom-right", "top-left", "top-right")
    ]
    assert all(span.length_m == pytest.approx(LENGTH_M) for span in report.coverage)
    assert report.inspected_percent == 100
    assert sum(t.length_m for t in report.coverage_totals) == pytest.approx(LENGTH_M)
    document = json_document(report)
    assert {d["surface"] for d in document["defects"]} == {"top", "bottom"}
    assert "bottom-right" in render_html(report)


class Paced:
    """A live camera over some columns of a strip; what it does not send, nobody gets."""

    live = True
    total_lines = None

    def __init__(
        self, strip: NDArray[np.uint8], *, silent: range = range(0), fails_at: int | None = None
    ) -> None:
        self._strip = strip
        self._silent = silent
        self._fails_at = fails_at
        self._stopped = False
        self.width_px = strip.shape[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def blocks(self) -> Iterator[Block]:
        began_s = time.monotonic()
        for first in range(0, len(self._strip), 40):
            while not self._stopped and time.monotonic() < began_s + first / 800:
                time.sleep(0.002)
            if self._stopped:
                return
            if self._fails_at is not None and first >= self._fails_at:
                raise CameraLost("it is gone for good")
            if first not in self._silent:
                yield Block(
                    pixels=self._strip[first : first + 40],
                    camera="c",
                    first_line=first,
                    along_m=first * MM_PER_LINE / 1000,
                    mm_per_line=MM_PER_LINE,
                    host_ns=time.monotonic_ns(),
                )

    def stop(self) -> None:
        self._stopped = True


def spotted(lines: int) -> NDArray[np.uint8]:
    strip = metal(lines, 160)
    for first in range(10, lines, 100):
        strip[first : first + 12, 20:30] = 20
    strip[lines - 100 : lines - 60, 60:100] = 20
    return strip


def two_cameras() -> Station:
    source = {"kind": "folder", "path": "unused"}
    return Station.model_validate(
        {
            "name": "line 1",
            "camera": {"mm_per_px": MM_PER_PX, "mm_per_line": MM_PER_LINE, "strip_edges": "full"},
            "view": [
                {"name": "left", "left_mm": 0.0, "source": source},
                {"name": "right", "left_mm": 35.0, "source": source},
            ],
            "inference": {"tile_px": 64, "halo_px": 8, "batch": 4},
            "report": {"picture_px": 64},
        }
    )


def inspected(path: Path, left: Paced, right: Paced, *, book: OrderBook | None = None) -> list[str]:
    """Run two cameras over a coil, or as a book says; return why the station was degraded."""
    setup, supervisor = two_cameras(), Supervisor()
    queued = partial(acquire, pipeline=setup.pipeline)
    reasons: list[str] = []
    supervisor.enter(LineState.WARMING)
    with (
        Store.open(path) as store,
        JoinedCameras(setup, [left, right], acquire=queued) as source,
    ):
        line = Line(
            station=setup,
            source=source,
            store=store,
            models=ModelKeeper(setup, model()),
            rules=load_rules(None),
            flat_field=None,
            supervisor=supervisor,
            reload=Hangup().taken,
            orders=book or OrderBook("one coil"),
            on_progress=lambda _: reasons.append(supervisor.reason),
        )
        line.run(None if book else PlannedCoil(id="a"))
    return reasons


def told(
    path: Path, coil: str = "a"
) -> tuple[list[Defect], dict[str, list[tuple[int, int, str]]], str]:
    with Store.open(path, readonly=True) as store:
        spans: dict[str, list[tuple[int, int, str]]] = {}
        for each in store.coverage(coil):
            of_one = spans.setdefault(each.camera, [])
            assert each.lines.start == (of_one[-1][1] if of_one else 0)
            of_one.append((each.lines.start, each.lines.stop, str(each.status)))
        return list(store.defects(coil)), spans, store.gradings(coil)[0].grade


def test_a_camera_that_dies_and_comes_back_leaves_a_hole_in_its_columns_alone(
    tmp_path: Path,
) -> None:
    lines, strip = 2400, spotted(2400)
    right = Paced(strip[:, 70:], silent=range(400, 1800))
    reasons = inspected(tmp_path / "s.db", Paced(strip[:, :90]), right)
    assert any("camera right sends no lines" in reason for reason in reasons)
    defects, spans, grade = told(tmp_path / "s.db")
    assert spans["left"] == [(0, lines, "inspected")]
    (first, hole, last) = spans["right"]
    assert (first, last[1:]) == ((0, 400, "inspected"), (lines, "inspected"))
    assert hole[0] == 400
    assert 1800 <= hole[1] <= 2000
    assert hole[2] in {"unknown", "dropped"}
    assert grade == "hold"
    assert len([d for d in defects if d.last_px < 80]) == lines // 100
    (over,) = [d for d in defects if d.last_px >= 80]
    assert (over.first_px, over.last_px, over.first_line) == (59, 100, lines - 101)


def test_a_camera_that_fails_for_good_does_not_end_the_others(tmp_path: Path) -> None:
    strip = spotted(800)
    right = Paced(strip[:, 70:], fails_at=200)
    reasons = inspected(tmp_path / "s.db", Paced(strip[:, :90]), right)
    assert any("camera right has failed: it is gone for good" in reason for reason in reasons)
    defects, spans, grade = told(tmp_path / "s.db")
    assert spans == {
        "left": [(0, 800, "inspected")],
        "right": [(0, 200, "inspected"), (200, 800, "unknown")],
    }
    assert grade == "hold"
    assert len(defects) == 9  # the one over the seam, as far as it was seen
    gone = Paced(strip[:, :90], fails_at=80)
    with pytest.raises(CameraLost, match="gone for good"):
        inspected(tmp_path / "t.db", gone, Paced(strip[:, 70:], fails_at=120))


def test_a_change_cuts_all_cameras_at_one_line(tmp_path: Path) -> None:
    strip = spotted(1200)
    book = OrderBook("")
    book.open(())
    book.start(PlannedCoil(id="a"))
    change = threading.Timer(0.7, book.start, [PlannedCoil(id="b")])
    change.start()
    right = Paced(strip[:, 70:], silent=range(400, 480))
    inspected(tmp_path / "s.db", Paced(strip[:, :90]), right, book=book)
    change.join()
    first, spans, _ = told(tmp_path / "s.db", "a")
    second, after, _ = told(tmp_path / "s.db", "b")
    (head, whole) = spans["left"][-1][1], after["left"][-1][1]
    assert head + whole == 1200
    for camera, holes in (("left", []), ("right", [(400, 480)])):
        both = spans[camera] + [(a + head, b + head, status) for a, b, status in after[camera]]
        assert (spans[camera][-1][1], after[camera][-1][1]) == (head, whole)
        assert [(a, b) for a, b, status in both if status != "inspected"] == holes
    lines = [d.first_line for d in first] + [d.first_line + head for d in second]
    assert {line for line in lines if abs(line - head) > 20} == {
        line for line in (*range(9, 1200, 100), 1099) if abs(line - head) > 20
    }


def test_metal_that_no_camera_sees_is_refused_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    views = view("a", "top", 0, 200, 7, block_lines=64) + view(
        "b", "top", 210, 190, 7, block_lines=64
    )
    file.write_text(HEAD + views, encoding="utf-8")
    station = load_station(file)
    with pytest.raises(ConfigError, match="are 5 mm that no camera sees"), open_lines(station):
        pass
