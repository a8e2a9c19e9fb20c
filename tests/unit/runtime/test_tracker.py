import numpy as np
import pytest

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.defect import DefectPhase
from stripscan.contract.errors import BundleError
from stripscan.runtime.measure import Metric
from stripscan.runtime.stitching import Piece, Step
from stripscan.runtime.tracker import DefectTracker

METRIC = Metric(
    first_line=0,
    along_m=np.arange(101) / 1000,
    edges=np.tile(np.float32([0, 1000]), (100, 1)),
    mm_per_px=1.0,
)
INCLUSION, PATCHES, SCRATCHES = 2, 3, 6


def tracker(**min_area_px: int) -> DefectTracker:
    return DefectTracker(
        coil="c1",
        classes={c.id: c for c in NEU_CLASSES},
        min_area_px={c.name: min_area_px.get(c.name, 1) for c in NEU_CLASSES},
    )


def piece(component: int, line: int, px: int, *, kind: int = INCLUSION, score: int = 200) -> Piece:
    """Return ``px`` pixels on one line."""
    pixels = np.zeros(256, np.int64)
    pixels[kind] = px
    return Piece(
        component=component,
        runs=np.array([[line, 10 * component, 10 * component + px]]),
        pixels=pixels,
        score=pixels * float(score),
    )


def test_a_defect_is_new_then_grows_then_ends() -> None:
    track = tracker()
    records = [
        track.apply(Step(pieces=(piece(0, 3, 4),)), METRIC),
        track.apply(Step(pieces=(piece(0, 4, 4),)), METRIC),
        track.apply(Step(), METRIC),
        track.apply(Step(closed=(0,)), METRIC),
    ]
    defects = [d for changes in records for d in changes.defects]
    assert [d.phase for d in defects] == [DefectPhase.NEW, DefectPhase.UPDATE, DefectPhase.END]
    assert {d.number for d in defects} == {1}
    assert [d.area_px for d in defects] == [4, 8, 8]
    assert defects[-1].length_mm == pytest.approx(2.0)
    assert [[n for n, _ in changes.runs] for changes in records] == [[1], [1], [], []]


def test_a_defect_that_begins_and_ends_in_one_step_is_told_once() -> None:
    changes = tracker().apply(Step(pieces=(piece(0, 3, 4),), closed=(0,)), METRIC)
    assert [d.phase for d in changes.defects] == [DefectPhase.END]


def test_what_stays_too_small_is_never_told() -> None:
    track = tracker(inclusion=10)
    assert not track.apply(Step(pieces=(piece(0, 3, 9),)), METRIC).defects
    assert not track.apply(Step(closed=(0,)), METRIC).defects
    assert track.count == 0


def test_what_grows_large_enough_is_told_with_all_of_its_mask() -> None:
    track = tracker(inclusion=10)
    track.apply(Step(pieces=(piece(0, 3, 9),)), METRIC)
    changes = track.apply(Step(pieces=(piece(0, 4, 1),)), METRIC)
    assert [(d.phase, d.area_px) for d in changes.defects] == [(DefectPhase.NEW, 10)]
    assert [runs.tolist() for _, runs in changes.runs] == [[[3, 0, 9]], [[4, 0, 1]]]


def test_each_class_counts_by_its_own_smallest_area() -> None:
    track = tracker(inclusion=10, patches=100)
    mixed = (piece(0, 3, 6), piece(0, 4, 39, kind=PATCHES))
    assert not track.apply(Step(pieces=mixed), METRIC).defects
    assert track.apply(Step(pieces=(piece(0, 5, 1, kind=PATCHES),)), METRIC).defects


def test_the_class_is_voted_by_scores_and_may_change() -> None:
    track = tracker()
    sure = track.apply(Step(pieces=(piece(0, 3, 5, score=250),)), METRIC).defects[0]
    assert (sure.class_name, sure.severity, sure.class_share) == (
        "inclusion",
        "critical",
        {"inclusion": 1.0},
    )
    more = piece(0, 4, 9, kind=SCRATCHES, score=150)
    changed = track.apply(Step(pieces=(more,)), METRIC).defects[0]
    assert (changed.class_name, changed.severity) == ("scratches", "minor")
    assert changed.confidence == pytest.approx(150 / 255)
    assert changed.class_share["inclusion"] == pytest.approx(1250 / 2600, abs=1e-4)
    assert sum(changed.class_share.values()) == pytest.approx(1)


def test_two_defects_that_meet_become_the_older_one() -> None:
    track = tracker()
    track.apply(Step(pieces=(piece(0, 3, 4), piece(1, 3, 5))), METRIC)
    changes = track.apply(Step(merged=((1, 0),), pieces=(piece(0, 4, 20),)), METRIC)
    assert changes.merged == ((2, 1),)
    assert [(d.number, d.phase, d.area_px) for d in changes.defects] == [
        (1, DefectPhase.UPDATE, 29)
    ]
    assert [d.number for d in track.apply(Step(closed=(0,)), METRIC).defects] == [1]


def test_the_lower_number_stays_even_if_its_component_goes() -> None:
    track = tracker(inclusion=3)
    track.apply(Step(pieces=(piece(0, 3, 1), piece(1, 3, 5))), METRIC)
    changes = track.apply(Step(merged=((1, 0),)), METRIC)
    assert changes.merged == ()
    assert [(d.number, d.phase, d.area_px) for d in changes.defects] == [(1, DefectPhase.UPDATE, 6)]
    assert [runs.tolist() for _, runs in changes.runs] == [[[3, 0, 1]]]


def test_pieces_too_small_alone_are_one_defect_together() -> None:
    track = tracker(inclusion=10)
    track.apply(Step(pieces=(piece(0, 3, 5), piece(1, 3, 5))), METRIC)
    changes = track.apply(Step(merged=((1, 0),), closed=(0,)), METRIC)
    assert [(d.number, d.phase, d.area_px) for d in changes.defects] == [(1, DefectPhase.END, 10)]


def test_a_class_that_the_manifest_does_not_have_is_the_fault_of_the_bundle() -> None:
    with pytest.raises(BundleError, match="class 9, its manifest has the classes"):
        tracker().apply(Step(pieces=(piece(0, 3, 4, kind=9),)), METRIC)
