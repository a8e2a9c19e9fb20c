import dataclasses
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.block import LineRange
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.errors import StoreError
from stripscan.contract.grading import Grading, Reason
from stripscan.runtime.store import CoilRecord, Picture, Store
from stripscan.runtime.store_schema import SCHEMA_VERSION
from unit.runtime.store_places import execute, place

__all__ = ["place"]

COIL = CoilRecord(
    id="4711",
    station="hsm-exit",
    camera="top-left",
    surface="top",
    started_at="2025-03-01T08:00:00+00:00",
    width_px=2048,
    mm_per_px=0.5,
    mm_per_line=0.4,
    bundle_name="neu",
    bundle_digest="sha256:ab",
    classes=NEU_CLASSES,
)
RUNS = np.array([[5, 10, 12], [6, 9, 13]], np.int64)
_DAMAGED = "00112233445566778899"
PICTURE = Picture(image_png=b"\x89PNG", first_line=0, first_px=4, lines=8, width=16)


def a_defect(number: int = 1, **changes: object) -> Defect:
    defect = Defect(
        coil="4711",
        number=number,
        phase=DefectPhase.NEW,
        class_name="scratches",
        confidence=0.9,
        class_share={"scratches": 0.75, "inclusion": 0.25},
        severity="minor",
        along_start_m=1.25,
        along_end_m=1.5,
        across_left_mm=100.0,
        across_right_mm=104.0,
        area_mm2=12.5,
        length_mm=250.0,
        width_mm=4.0,
        edge_left_mm=100.0,
        edge_right_mm=920.0,
        first_line=5,
        last_line=6,
        first_px=9,
        last_px=12,
        area_px=6,
    )
    return dataclasses.replace(defect, **changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "line.sqlite"


def test_a_coil_comes_back_as_it_was_given(place: Path | str) -> None:
    interval = CoverageInterval(
        camera="top-left",
        lines=LineRange(start=0, stop=2**40),
        along_start_m=0.0,
        along_end_m=5.5,
        status=CoverageStatus.DROPPED,
        reason="the queue was full",
    )
    with Store.open(place) as store:
        store.start_coil(COIL)
        with store.transaction():
            store.put_picture("4711", 1, PICTURE)
            store.add_runs("4711", 1, RUNS)
            store.put_defect(a_defect())
            store.put_coverage("4711", interval)
        store.finish_coil(
            "4711",
            ended_at="2025-03-01T08:01:00+00:00",
            status="complete",
            length_m=5.5,
            stats={"latency_p99_ms": np.float32(12.5), "blocks": np.int64(3), "gap": float("nan")},
        )

    with Store.open(place, readonly=True) as store:
        assert store.coil("4711") == dataclasses.replace(
            COIL,
            ended_at="2025-03-01T08:01:00+00:00",
            status="complete",
            length_m=5.5,
            stats={"latency_p99_ms": 12.5, "blocks": 3, "gap": None},
        )
        assert store.defects("4711") == (a_defect(),)
        assert store.runs("4711", 1).tolist() == RUNS.tolist()
        assert store.picture("4711", 1) == PICTURE
        assert store.coverage("4711") == (interval,)
        assert store.picture("4711", 2) is None
        assert store.runs("4711", 2).shape == (0, 3)


def test_numbers_of_numpy_are_kept_as_numbers(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        store.put_defect(a_defect(area_px=np.int64(6), area_mm2=np.float32(12.5)))
        assert store.defects("4711") == (a_defect(),)


def test_a_defect_that_grows_replaces_its_record(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        store.put_defect(a_defect())
        store.put_defect(a_defect(phase=DefectPhase.END, along_end_m=300.0))
        assert [(d.phase, d.along_end_m) for d in store.defects("4711")] == [("end", 300.0)]


def test_a_coverage_interval_that_grows_replaces_its_record(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        for stop in (10, 20):
            store.put_coverage(
                "4711",
                CoverageInterval(
                    camera="a",
                    lines=LineRange(start=0, stop=stop),
                    along_start_m=0,
                    along_end_m=stop / 10,
                    status=CoverageStatus.INSPECTED,
                ),
            )
        assert [i.lines.stop for i in store.coverage("4711")] == [20]


def test_a_merged_defect_leaves_its_mask_and_nothing_else(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        with store.transaction():
            for number in (1, 2):
                store.put_defect(a_defect(number))
                store.put_picture("4711", number, PICTURE)
                store.add_runs("4711", number, np.add(RUNS, [number, 0, 0]))
        store.merge_defect("4711", 2, 1)
        assert [d.number for d in store.defects("4711")] == [1]
        assert store.picture("4711", 2) is None
        assert store.runs("4711", 2).shape == (0, 3)
        expected = [[6, 10, 12], [7, 9, 13], [7, 10, 12], [8, 9, 13]]
        assert store.runs("4711", 1).tolist() == expected
        assert store.masks("4711")[1].tolist() == expected


def test_merging_a_defect_into_itself_is_refused(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        store.put_defect(a_defect())
        with pytest.raises(StoreError, match="merged into itself"):
            store.merge_defect("4711", 1, 1)
        assert len(store.defects("4711")) == 1


def test_an_error_inside_a_transaction_leaves_nothing_of_it(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        with pytest.raises(RuntimeError, match="stop"), store.transaction():
            store.put_defect(a_defect())
            raise RuntimeError("stop")
        assert store.defects("4711") == ()
        store.put_defect(a_defect())


def test_a_mask_without_its_defect_is_refused_and_the_store_goes_on(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        with pytest.raises(StoreError, match=r"(?i)foreign key"), store.transaction():
            store.add_runs("4711", 1, RUNS)
        store.put_defect(a_defect())
        assert store.runs("4711", 1).shape == (0, 3)


def test_the_same_coil_twice_is_refused(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        with pytest.raises(StoreError, match=r"coil 4711 is already in .*; choose another id"):
            store.start_coil(COIL)


def test_an_unknown_coil_names_those_that_are_there(place: Path | str) -> None:
    with Store.open(place) as store:
        with pytest.raises(StoreError, match="no coil yet"):
            store.coil("4711")
        for i in range(7):
            store.start_coil(dataclasses.replace(COIL, id=f"47{i:02}"))
        with pytest.raises(StoreError, match=r"did you mean 4703\? It has 4706, .* and 2 more"):
            store.coil("47o3")
        with pytest.raises(StoreError, match="coil x"):
            store.finish_coil("x", ended_at="", status="complete", length_m=1.0, stats={})


def test_coils_are_listed_the_newest_first_whatever_the_clock_said(place: Path | str) -> None:
    with Store.open(place) as store:
        for day, name in ((2, "a"), (3, "b"), (1, "c")):
            store.start_coil(dataclasses.replace(COIL, id=name, started_at=f"2025-03-0{day}"))
        assert [c.id for c in store.coils()] == ["c", "b", "a"]


def test_gradings_are_kept_and_the_newest_comes_first(place: Path | str) -> None:
    first = Grading(
        coil="4711",
        graded_at="2025-03-01T08:02:00+00:00",
        rules_name="mill",
        rules_version="2025-03",
        rules_sha256="ab",
        rules_text='name = "mill"\n',
        grade="hold",
        reasons=(Reason(rule=None, verdict="hold", text="1 m was not inspected"),),
    )
    second = dataclasses.replace(first, grade="accept", reasons=(), rules_version="2025-04")
    with Store.open(place) as store:
        store.start_coil(COIL)
        store.start_coil(dataclasses.replace(COIL, id="4712"))
        store.put_grading(first)
        store.put_grading(second)
        assert store.gradings("4711") == (second, first)
        assert store.gradings("4712") == ()
        with pytest.raises(StoreError, match=r"(?i)foreign key"):
            store.put_grading(dataclasses.replace(first, coil="4713"))
    execute(place, "UPDATE grading SET reasons = '[{}]'")
    with (
        Store.open(place, readonly=True) as store,
        pytest.raises(StoreError, match="is damaged: a grading of coil 4711"),
    ):
        store.gradings("4711")


def test_only_coils_left_running_are_recovered(place: Path | str) -> None:
    with Store.open(place) as store:
        for name in ("done", "cut"):
            store.start_coil(dataclasses.replace(COIL, id=name))
        store.finish_coil("done", ended_at="x", status="complete", length_m=1.0, stats={})
    with Store.open(place) as store:
        assert store.recover() == ("cut",)
        assert store.coil("cut").status == "interrupted"
        assert store.coil("done").status == "complete"
        assert store.recover() == ()


def test_a_second_writer_is_refused_and_a_reader_is_not(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        with pytest.raises(StoreError, match="written to by another stripscan"):
            Store.open(place)
        with Store.open(place, readonly=True) as reader, store.transaction():
            store.put_defect(a_defect())
            assert reader.defects("4711") == ()
    with Store.open(place) as store:
        assert len(store.defects("4711")) == 1


def test_a_reader_cannot_write(place: Path | str) -> None:
    Store.open(place).close()
    with (
        Store.open(place, readonly=True) as store,
        pytest.raises(StoreError, match="cannot be written: check its permissions"),
    ):
        store.start_coil(COIL)


def test_a_store_of_a_newer_version_asks_for_an_upgrade(path: Path) -> None:
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for readonly in (True, False):
        with pytest.raises(StoreError, match=rf"version 99 .* up to {SCHEMA_VERSION}: upgrade"):
            Store.open(path, readonly=readonly)


def test_another_database_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipe (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a stripscan store"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"not a database, " * 100)
    with pytest.raises(StoreError, match="is not a stripscan store"):
        Store.open(path)
    assert path.read_bytes() == b"not a database, " * 100


def test_a_damaged_store_is_an_error_and_never_a_clean_coil(path: Path) -> None:
    with Store.open(path) as store:
        store.start_coil(COIL)
        with store.transaction():
            for number in range(200):
                store.put_defect(a_defect(number))
    damaged = bytearray(path.read_bytes())
    for page in range(4096, len(damaged), 4096):
        damaged[page : page + 64] = b"\xff" * 64
    path.write_bytes(damaged)
    with (
        pytest.raises(StoreError, match="is damaged"),
        Store.open(path, readonly=True) as store,
    ):
        store.defects("4711")


def test_a_damaged_mask_is_an_error(place: Path | str) -> None:
    with Store.open(place) as store:
        store.start_coil(COIL)
        store.put_defect(a_defect())
        store.add_runs("4711", 1, RUNS)
    damaged = f"x'{_DAMAGED}'" if isinstance(place, Path) else f"'\\x{_DAMAGED}'"
    execute(place, f"UPDATE mask_part SET runs = {damaged}")  # noqa: S608 - it is ours
    with (
        Store.open(place, readonly=True) as store,
        pytest.raises(StoreError, match="a mask part is damaged"),
    ):
        store.runs("4711", 1)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store at .*nowhere\.sqlite"):
        Store.open(tmp_path / "nowhere.sqlite", readonly=True)
    with pytest.raises(StoreError, match=r"the folder .*missing does not exist"):
        Store.open(tmp_path / "missing" / "line.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_another_program_holds_is_locked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stripscan.runtime.store_sqlite.BUSY_TIMEOUT_S", 0.05)
    with Store.open(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked by another process"):
            store.start_coil(COIL)
        other.execute("ROLLBACK")
        other.close()
        store.start_coil(COIL)


def test_a_closed_store_is_a_store_error(place: Path | str) -> None:
    store = Store.open(place)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.coils()
