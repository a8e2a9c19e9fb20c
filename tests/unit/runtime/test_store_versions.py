"""Stores of every version that was released are taken over, and the tables are what we think."""

import dataclasses
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from stripscan.contract.errors import StoreError
from stripscan.runtime.store import Store
from stripscan.runtime.store_schema import SCHEMA_VERSION
from stripscan.runtime.store_sqlite import APPLICATION_ID
from stripscan.runtime.store_tables import METADATA
from unit.runtime.old_stores import VERSIONS
from unit.runtime.store_places import execute, place, postgres
from unit.runtime.test_store import COIL, a_defect
from unit.runtime.test_store_rolls import REPEAT

__all__ = ["place"]


def old_store(path: Path, version: int) -> None:
    """Make a store as it was released, with a coil and a defect."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"PRAGMA journal_mode = WAL; {' '.join(VERSIONS[:version])}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};"
        )
        for row in (
            "INSERT INTO coil VALUES ('4711', 'hsm', 'top', 'top', '2025-03-01', NULL, 'running',"
            " 2048, 0.5, 0.4, NULL, 'neu', 'sha256:ab', '[]', '{}')",
            "INSERT INTO defect VALUES ('4711', 7, 'new', 'scratches', 0.9, '{}', 'minor', 1.25,"
            " 1.5, 100, 104, 12.5, 250, 4, 100, 920, 5, 6, 9, 12, 6)",
        ):
            connection.execute(row)
        connection.commit()


def columns(path: Path) -> list[tuple[object, ...]]:
    # A key of whole numbers is never null, whatever is said of it.
    return execute(
        path,
        'SELECT t.name, c.cid, c.name, c.type, c.pk, c.pk OR c."notnull", c.dflt_value'
        " FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
        " ORDER BY t.name, c.cid",
    )


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("readonly", [True, False])
def test_an_old_store_is_upgraded_and_keeps_its_data(
    tmp_path: Path, version: int, readonly: bool
) -> None:
    path = tmp_path / "line.sqlite"
    old_store(path, version)
    with Store.open(path, readonly=readonly) as store:
        assert store.coil("4711").bundle_digest == "sha256:ab"
        assert [d.number for d in store.defects("4711")] == [7]
        assert store.gradings("4711") == ()
    with Store.open(path) as store:
        store.start_coil(dataclasses.replace(COIL, id="later", started_at="2024"))
        assert [coil.id for coil in store.coils()] == ["later", "4711"]
        store.put_roll_repeat(REPEAT)
        assert store.roll_repeats("4711") == (REPEAT,)
    assert execute(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert execute(path, "SELECT version_num FROM alembic_version") == [(f"{SCHEMA_VERSION:04}",)]
    Store.open(tmp_path / "new.sqlite").close()
    assert columns(path) == columns(tmp_path / "new.sqlite")


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "line.sqlite"
    old_store(path, 1)
    execute(path, "CREATE TABLE grading (x)")  # in the way of the revision after the next
    for _ in range(2):
        with pytest.raises(StoreError, match="grading already exists"):
            Store.open(path)
        assert execute(path, "PRAGMA user_version") == [(1,)]
        assert "roll_repeat" not in {row[0] for row in columns(path)}
    execute(path, "DROP TABLE grading")
    with Store.open(path) as store:
        assert [d.number for d in store.defects("4711")] == [7]


def test_the_tables_are_what_the_migrations_make(place: Path | str) -> None:
    Store.open(place).close()
    url = f"sqlite:///{place}" if isinstance(place, Path) else place
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


@pytest.mark.debian("postgresql")
def test_a_server_of_a_newer_version_or_of_others_is_refused() -> None:
    server = postgres()
    url = server.url(server.new_schema())
    with pytest.raises(StoreError, match=r"no coil yet and no tables .* stripscan store upgrade"):
        Store.open(url, readonly=True)
    with Store.open(url) as store:
        store.start_coil(COIL)
        store.put_defect(a_defect())
    execute(url, "UPDATE alembic_version SET version_num = '9999'")
    for readonly in (True, False):
        with pytest.raises(StoreError, match=r"version 9999 .* reads up to \d+: upgrade stripscan"):
            Store.open(url, readonly=readonly)
    others = server.url(server.new_schema())
    execute(others, "CREATE TABLE recipe (x int)")
    with pytest.raises(StoreError, match="has tables, but is not a stripscan store"):
        Store.open(others)
    assert execute(
        others, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
    ) == [(1,)]
