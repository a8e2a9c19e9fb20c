"""A bundle that is replaced while the line runs: used from the next coil on, or not at all."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.bundle import write_bundle
from stripscan.contract.manifest import Golden, InputSpec
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.line_state import LineState
from stripscan.runtime.model_keeper import ModelKeeper
from stripscan.runtime.station import BundleSection
from stripscan.runtime.station_control import CoilSection
from stripscan.runtime.station_model import load_model, station_bundle
from stripscan.runtime.store import Store
from stripscan.runtime.supervision import Supervisor
from unit.contract.bundle_samples import draft
from unit.runtime.inspection_samples import metal, station
from unit.runtime.line_samples import LINES, Tape, open_book, run, spotted

pytest.importorskip("onnx", reason="needs the export extra, to make a model")
pytestmark = pytest.mark.export

from unit.runtime.onnx_samples import dark_model


def put_bundle(path: Path, *, class_id: int, golden_class: int) -> None:
    """Write a bundle whose model gives one class, and whose golden mask has one."""
    frame = metal(64, 64)
    frame[10:30] = 20
    mask = np.where(frame < 40, golden_class, 0)
    files = {
        "model.onnx": dark_model(class_id=class_id),
        "golden.png": cv2.imencode(".png", frame)[1].tobytes(),
        "golden.mask.png": cv2.imencode(".png", mask)[1].tobytes(),
    }
    golden = Golden(image="golden.png", mask="golden.mask.png", min_agreement=0.995)
    spec = InputSpec(tile_px=64, halo_px=8, mm_per_px=0.5, size_multiple_px=32)
    write_bundle(path, draft(golden=(golden,), input=spec), files)


def until(happens: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < limit_s
        time.sleep(0.005)


def test_a_good_bundle_follows_at_the_next_coil_and_a_bad_one_never(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle, path = tmp_path / "bundle", tmp_path / "line.sqlite"
    put_bundle(bundle, class_id=2, golden_class=2)
    setup = station().model_copy(
        update={
            "bundle": BundleSection(path=str(bundle)),
            "coil": CoilSection(control="commands"),
        }
    )
    models = ModelKeeper(setup, load_model(setup, station_bundle(setup)))
    book, supervisor = open_book(), Supervisor()
    seen: list[tuple[LineState, str]] = []

    def coil(name: str) -> Callable[[], object]:
        return lambda: book.start(PlannedCoil(id=name))

    def runs(name: str) -> None:
        # Between two coils there is none for a moment.
        until(lambda: (now := supervisor.coil) is not None and now.plan.id == name)

    def looked() -> None:
        until(lambda: supervisor.coil is not None and not models.busy)

    tape = Tape(
        spotted(14 * LINES),
        during={
            1: [coil("old")],
            3: [looked, lambda: put_bundle(bundle, class_id=3, golden_class=3), coil("still old")],
            5: [lambda: runs("still old"), looked, coil("new")],
            7: [
                lambda: runs("new"),
                looked,
                lambda: put_bundle(bundle, class_id=5, golden_class=6),
                coil("as new"),
            ],
            9: [
                lambda: until(lambda: bool(models.trouble)),
                lambda: until(lambda: supervisor.state is LineState.DEGRADED),
                lambda: seen.append((supervisor.state, supervisor.reason)),
                coil("still new"),
            ],
        },
    )
    try:
        run(path, tape, book=book, supervisor=supervisor, setup=setup, models=models)
    finally:
        models.close()
    with Store.open(path, readonly=True) as store:
        classes = {c.id: {d.class_name for d in store.defects(c.id)} for c in store.coils()}
        digests = {c.id: c.bundle_digest for c in store.coils()}
        status = {c.status for c in store.coils()}
    old, new = {"inclusion"}, {"patches"}
    assert classes == {
        "old": old,
        "still old": old,
        "new": new,
        "as new": new,
        "still new": new,
    }
    assert len(set(digests.values())) == 2
    assert status == {"complete"}
    ((state, reason),) = seen
    assert state is LineState.DEGRADED
    assert reason.startswith("the new bundle is not used: ")
    assert "gives other masks than" in reason
    assert len([r for r in caplog.records if r.message == "bundle refused"]) == 1
