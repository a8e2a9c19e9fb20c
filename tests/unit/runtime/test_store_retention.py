"""What goes first, what never goes, and that the space comes back, slice by slice."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from stripscan.cli.main import app
from stripscan.contract.errors import StoreError
from stripscan.runtime.station_store import StoreSection
from stripscan.runtime.store import Picture, Store
from stripscan.runtime.store_keeper import StoreKeeper
from stripscan.runtime.store_retention import Keep, Pruned, Pruner
from unit.runtime.store_places import execute, place
from unit.runtime.test_store import COIL, a_defect
from unit.runtime.test_store_copy import everything, put_coil

__all__ = ["place"]

NOW = datetime(2025, 3, 31, tzinfo=UTC)
PICTURE = Picture(image_png=bytes(30_000), first_line=0, first_px=0, lines=1, width=1)
MASK = np.array([[line, (7 * line) % 901, 905 + line % 13] for line in range(3000)], np.int64)


def add_coil(store: Store, name: str, *, day: int, ended: bool = True) -> None:
    """Add a coil of some 1.2 MB of pictures and 0.2 MB of masks."""
    started = f"2025-03-{day:02}T08:00:00+00:00"
    store.start_coil(dataclasses.replace(COIL, id=name, started_at=started))
    with store.transaction():
        for number in range(1, 41):
            store.put_defect(a_defect(number, coil=name))
            store.add_runs(name, number, MASK)
            store.put_picture(name, number, PICTURE)
    if ended:
        store.finish_coil(name, ended_at=started, status="complete", length_m=1.0, stats={})


def prune(
    store: Store,
    *,
    days: float | None = None,
    gb: float | None = None,
    protected: Callable[[], tuple[str, ...]] = tuple,
) -> Pruned:
    keep = Keep(days=days, gb=gb)
    return Pruner(store, keep, protected=protected, pause=lambda _: None).run(now=NOW)


def parts(store: Store, coil: str) -> tuple[int, int, int]:
    """Return how many pictures, masks and defects a coil has."""
    numbers = [d.number for d in store.defects(coil)]
    pictures = sum(store.picture(coil, n) is not None for n in numbers)
    return pictures, len(store.masks(coil)), len(numbers)


def test_pictures_go_first_then_masks_then_coils_the_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "line.sqlite"
    with Store.open(path) as store:
        for day, name in enumerate(("a", "b", "c"), start=1):
            add_coil(store, name, day=day)
        full = path.stat().st_size

        assert prune(store, gb=full / 1e9) == Pruned()
        done = prune(store, gb=(full - 1_500_000) / 1e9)
        assert (done.pictures, done.masks, done.coils) == (("a", "b"), (), ())
        assert parts(store, "a") == (0, 40, 40)
        assert parts(store, "b")[1:] == (40, 40)
        assert parts(store, "c") == (40, 40, 40)

        done = prune(store, gb=400_000 / 1e9)
        assert done.pictures[-1] == "c"
        assert done.masks[0] == "a"
        assert done.coils == ()
        assert parts(store, "a") == (0, 0, 40)

        done = prune(store, gb=1e-6, protected=lambda: ("c",))
        assert done.coils == ("a", "b")
        assert [c.id for c in store.coils()] == ["c"]
        assert execute(path, "PRAGMA freelist_count") == [(0,)]
    assert path.stat().st_size < full / 10  # the space is given back


def test_a_coil_that_runs_or_is_waited_for_is_left_alone(tmp_path: Path) -> None:
    with Store.open(tmp_path / "line.sqlite") as store:
        add_coil(store, "waited for", day=1)
        add_coil(store, "runs", day=2, ended=False)
        done = prune(store, gb=1e-6, days=1, protected=lambda: ("waited for",))
        assert (done.pictures, done.masks, done.coils) == ((), (), ())
        assert done.above_gb > 0.002
        assert parts(store, "waited for") == parts(store, "runs") == (40, 40, 40)
        assert prune(store, days=1).coils == ("waited for",)


def test_coils_beyond_their_age_go_with_all_that_is_theirs(place: Path | str) -> None:
    with Store.open(place) as store:
        for name in ("old", "new"):
            put_coil(store, name)
        ended = "2025-03-30T00:00:00+00:00"
        store.finish_coil("new", ended_at=ended, status="complete", length_m=1.0, stats={})
        store.start_coil(dataclasses.replace(COIL, id="undated", started_at="", status="failed"))
        before = everything(store, "new")
        assert prune(store, days=2).coils == ("old",)
        assert [c.id for c in store.coils()] == ["undated", "new"]
        assert everything(store, "new") == before
        for table in ("defect", "mask_part", "picture", "coverage", "grading", "roll_print"):
            assert execute(place, f"SELECT DISTINCT coil FROM {table}") == [("new",)]  # noqa: S608
        put_coil(store, "old")


def test_a_coil_half_removed_is_never_seen_and_is_removed_the_next_time(
    place: Path | str,
) -> None:
    class Killed(Exception):  # noqa: N818 - it is no error
        pass

    def kill(_: float) -> None:
        raise Killed

    with Store.open(place) as store:
        put_coil(store, "old")
        with pytest.raises(Killed):
            Pruner(store, Keep(days=2), pause=kill).run(now=NOW)
    with Store.open(place) as store:
        assert store.coils() == ()
        with pytest.raises(StoreError, match="no coil yet"):
            store.coil("old")
        assert prune(store, days=9999).coils == ("old",)
        assert execute(place, "SELECT count(*) FROM coil") == [(0,)]


def test_the_keeper_removes_nothing_that_the_plant_does_not_have(tmp_path: Path) -> None:
    section = StoreSection(
        path=tmp_path / "line.sqlite",
        url="postgresql+psycopg://nobody@127.0.0.1:1/away",
        keep_days=1,
    )
    with Store.open(section.path) as store:
        add_coil(store, "old", day=1)
        with StoreKeeper(section, every_s=0.02) as keeper:
            pass
        keeper._try("keeping the store small", keeper._prune)
        assert [c.id for c in store.coils()] == ["old"]
        alone = StoreKeeper(StoreSection(path=section.path, keep_days=1))
        alone._try("keeping the store small", alone._prune)
        assert store.coils() == ()


def test_the_commands_copy_prune_and_upgrade(tmp_path: Path, place: Path | str) -> None:
    def run(*given: object, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["store", *map(str, given)], env={"COLUMNS": "200"})
        if code:
            assert result.exception is not None
            return str(result.exception)
        assert result.exception is None, result.output
        return result.stdout

    line = tmp_path / "of_the_line.sqlite"
    with Store.open(line) as store:
        for name in ("one", "two"):
            put_coil(store, name)
    run("upgrade", place)
    assert run("copy", line, place, "two").split() == ["two"]
    kept = run("prune", line, "--keep-days", "0", "--copied-to", place)
    assert kept.split() == ["two"]
    assert run("copy", line, place).split() == ["one"]
    assert run("copy", line, place).split() == []
    assert "say what is to be kept" in run("prune", line, code=2)
    with Store.open(place, readonly=True) as plant:
        assert {c.id for c in plant.coils()} == {"one", "two"}
