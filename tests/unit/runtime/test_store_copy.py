"""Coils reach the plant once, whatever happens on the way, and the line does not wait for it."""

import dataclasses
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.block import LineRange
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.errors import StoreError
from stripscan.contract.grading import Grading, Reason
from stripscan.runtime.station_store import StoreSection
from stripscan.runtime.store import Store
from stripscan.runtime.store_copy import _TABLES, copy_coil, not_copied
from stripscan.runtime.store_keeper import StoreKeeper
from stripscan.runtime.store_tables import COIL_COPY, COIL_REMOVAL, METADATA
from unit.runtime.store_places import PostgresServer, execute, place, postgres
from unit.runtime.test_store import COIL as A_COIL
from unit.runtime.test_store import PICTURE, RUNS, a_defect
from unit.runtime.test_store_rolls import REPEAT

__all__ = ["place"]


def put_coil(store: Store, name: str, *, count: int = 5, status: str = "complete") -> None:
    """Add a coil that has something of everything."""
    store.start_coil(dataclasses.replace(A_COIL, id=name))
    with store.transaction():
        for number in range(1, count + 1):
            store.put_defect(a_defect(number, coil=name, along_start_m=number / 7))
            store.add_runs(name, number, np.add(RUNS, [number, 0, 0]))
            store.add_runs(name, number, np.add(RUNS, [number + 2, 0, 0]))
            store.put_picture(name, number, PICTURE)
        store.put_coverage(
            name,
            CoverageInterval(
                camera="a",
                lines=LineRange(start=0, stop=2**40),
                along_start_m=0.0,
                along_end_m=0.1 + 0.2,
                status=CoverageStatus.DROPPED,
                reason="100 % of 'it'",
            ),
        )
        store.put_roll_repeat(dataclasses.replace(REPEAT, coil=name))
    for grade in ("hold", "accept"):
        store.put_grading(
            Grading(
                coil=name,
                graded_at="2025-03-01T08:02:00+00:00",
                rules_name="mill",
                rules_version="1",
                rules_sha256="ab",
                rules_text="name",
                grade=grade,
                reasons=(Reason(rule=None, verdict=grade, text="why"),),
            )
        )
    if status != "running":
        ended = "2025-03-01T08:03:00+00:00"
        store.finish_coil(name, ended_at=ended, status=status, length_m=5.5, stats={"n": 1})


def everything(store: Store, coil: str) -> tuple[object, ...]:
    """Return all that a store says of a coil."""
    return (
        store.coil(coil),
        store.defects(coil),
        {number: runs.tolist() for number, runs in store.masks(coil).items()},
        [store.picture(coil, d.number) for d in store.defects(coil)],
        store.coverage(coil),
        store.roll_repeats(coil),
        store.gradings(coil),
    )


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "of_the_line.sqlite") as store:
        yield store


def test_a_copied_coil_is_the_same_and_is_copied_once(line: Store, place: Path | str) -> None:
    put_coil(line, "first", count=450)  # more than are held in memory
    put_coil(line, "second", status="interrupted")
    put_coil(line, "third", status="running")
    with Store.open(place) as plant:
        assert not_copied(line, plant.name) == ("first", "second")
        assert copy_coil(line, plant, "first")
        assert not_copied(line, plant.name) == ("second",)
        assert everything(plant, "first") == everything(line, "first")
        assert not copy_coil(line, plant, "first")
        assert copy_coil(line, plant, "second")
        with pytest.raises(StoreError, match="coil third has not ended"):
            copy_coil(line, plant, "third")
        assert [coil.id for coil in plant.coils()] == ["second", "first"]


def test_another_coil_of_the_same_name_is_never_taken_for_it(
    line: Store, place: Path | str
) -> None:
    put_coil(line, "4711")
    with Store.open(place) as plant:
        plant.start_coil(dataclasses.replace(A_COIL, station="skin pass"))
        with pytest.raises(StoreError, match=r"has another of that id, of skin pass.* a schema"):
            copy_coil(line, plant, "4711")
        assert plant.defects("4711") == ()
        assert not_copied(line, plant.name) == ("4711",)


def test_every_table_of_a_coil_is_copied_or_known_to_stay() -> None:
    of_coils = {t.name for t in METADATA.sorted_tables if "coil" in t.c and t.c.coil.foreign_keys}
    stay = {COIL_COPY.name, COIL_REMOVAL.name}
    assert {t.name for t in _TABLES} | stay == of_coils


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Yield a server of its own, which may be stopped."""
    server = PostgresServer()
    yield server
    server.remove()


@pytest.mark.debian("postgresql")
def test_a_server_that_goes_away_and_comes_back_has_each_coil_once(
    tmp_path: Path, server: PostgresServer
) -> None:
    path, url = tmp_path / "of_the_line.sqlite", server.url(server.new_schema())
    section = StoreSection(path=path, url=url)

    with Store.open(path) as line, Store.open(url) as plant:
        put_coil(line, "first", count=300)
        lost = pytest.raises(StoreError, match="is gone: what was committed is kept")
        with lost, plant.transaction():
            plant.put_defect(a_defect(1))
            server.stop(signal.SIGQUIT)
            plant.put_defect(a_defect(2))
        with pytest.raises(StoreError, match="is gone"):
            plant.coils()

        with StoreKeeper(section, every_s=0.05):
            put_coil(line, "second")  # the line goes on
            time.sleep(0.2)
            assert not_copied(line, plant.name) == ("first", "second")
            server.start()
            put_coil(line, "third")
            until = time.monotonic() + 30
            while not_copied(line, plant.name) and time.monotonic() < until:
                time.sleep(0.05)
            put_coil(line, "last")  # copied as the run ends
        assert not_copied(line, plant.name) == ()
        with Store.open(url, readonly=True) as back:
            assert {c.id for c in back.coils()} == {"first", "second", "third", "last"}
            for coil in back.coils():
                assert everything(back, coil.id) == everything(line, coil.id)


@pytest.mark.debian("postgresql")
def test_a_copy_that_is_cut_off_leaves_nothing_and_is_done_again(line: Store) -> None:
    server = postgres()
    url = server.url(server.new_schema())
    put_coil(line, "4711", count=300)
    with Store.open(url) as plant:
        # The last of the tables: all others were written when it fails.
        execute(url, "ALTER TABLE grading ADD CONSTRAINT no_more CHECK (grade <> 'accept')")
        with pytest.raises(StoreError, match="no_more"):
            copy_coil(line, plant, "4711")
        assert plant.coils() == ()
        assert execute(url, "SELECT count(*) FROM defect") == [(0,)]
        execute(url, "ALTER TABLE grading DROP CONSTRAINT no_more")
        assert copy_coil(line, plant, "4711")
        assert everything(plant, "4711") == everything(line, "4711")
