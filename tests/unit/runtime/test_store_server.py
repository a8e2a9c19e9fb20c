"""A store on a server: who may write, what its errors say, and that no password is ever shown."""

import pytest

from stripscan.contract.errors import StoreError
from stripscan.runtime.store import Store
from unit.runtime.store_places import execute, postgres
from unit.runtime.test_store import COIL, a_defect

pytestmark = pytest.mark.debian("postgresql")


def test_one_process_writes_as_the_line_and_others_beside_it() -> None:
    server = postgres()
    url, other = server.url(server.new_schema()), server.url(server.new_schema())
    with Store.open(url) as line, Store.open(other):
        line.start_coil(COIL)
        with pytest.raises(StoreError, match="written to by another stripscan"):
            Store.open(url)
        with Store.open(url, exclusive=False) as beside:
            beside.put_defect(a_defect())
        assert line.defects("4711") == (a_defect(),)
    Store.open(url).close()


def test_rows_that_another_holds_are_locked_and_not_waited_for_for_ever() -> None:
    server = postgres()
    url = server.url(server.new_schema())
    with Store.open(url) as line, Store.open(url, exclusive=False) as beside:
        line.start_coil(COIL)
        line.put_defect(a_defect())
        line.backend.connection.exec_driver_sql("SET lock_timeout = '50ms'")
        with beside.transaction():
            beside.put_defect(a_defect(area_px=8))
            with pytest.raises(StoreError, match="is locked by another process"):
                line.put_defect(a_defect(area_px=9))
        line.put_defect(a_defect(area_px=9))


def test_what_a_server_refuses_is_said_with_its_remedy() -> None:
    server = postgres()
    execute(server.url(), "DROP ROLE IF EXISTS looker")
    execute(server.url(), "CREATE ROLE looker LOGIN")
    for url, said in (
        (server.url(user="nobody"), r"cannot be opened: check the server .*nobody"),
        (
            server.url().replace("/postgres?", "/none?"),
            r"cannot be opened: .* the database.*none.* does not exist",
        ),
        (server.url("missing"), "has no such schema: make it with CREATE SCHEMA"),
        (
            "postgresql+psycopg://a@127.0.0.1:1/b",
            r"cannot be opened: check the server and the network.*refused",
        ),
        (
            server.url(server.new_schema(), user="looker"),
            "has no such schema",
        ),
    ):
        with pytest.raises(StoreError, match=said):
            Store.open(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://line:s3cret@plant/stripscan",
        "postgresql+psycopg://line@plant/stripscan?password=s3cret",
        "postgresql+psycopg://line:s3cret@plant:port/stripscan",
        "mysql://line:s3cret@plant/stripscan",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
