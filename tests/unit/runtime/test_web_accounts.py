"""Passwords, sessions, tokens, tries: what is kept, and what of it proves who somebody is."""

import sqlite3
from pathlib import Path

import pytest

from stripscan.contract.errors import ConfigError, StoreError
from stripscan.runtime.station_web import WebSection
from stripscan.runtime.web.accounts import Accounts
from stripscan.runtime.web.database import WebDatabase
from stripscan.runtime.web.limits import PER_ACCOUNT, PER_ADDRESS, WINDOW_S, LoginLimit
from stripscan.runtime.web.roles import Role
from unit.runtime.web_samples import PASSWORD


def accounts(path: Path, hours: float = 12.0) -> Accounts:
    return Accounts(WebDatabase(path / "web.db"), session_hours=hours)


def test_nothing_in_the_file_logs_anybody_in(tmp_path: Path) -> None:
    known = accounts(tmp_path)
    known.add("eva", Role.ENGINEER, PASSWORD)
    cookie, token = known.open_session("eva"), known.add_token("eva", "mes")
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in (PASSWORD, cookie.partition(".")[0], token):
        assert secret.encode() not in kept
    assert b"$argon2id$" in kept
    assert (tmp_path / "web.db").stat().st_mode & 0o777 == 0o600


def test_a_session_outlives_a_restart_and_ends_when_it_is_to(tmp_path: Path) -> None:
    accounts(tmp_path).add("eva", Role.VIEWER, PASSWORD)
    cookies = [accounts(tmp_path).open_session("eva") for _ in range(3)]
    known = accounts(tmp_path)
    found = known.of_session(cookies[0])
    assert found is not None
    assert (found.user, found.role) == ("eva", Role.VIEWER)
    known.close_session(found.session)
    assert known.of_session(cookies[0]) is None
    known.add("eva", Role.REVIEWER, PASSWORD + "!")  # a new password throws everybody out
    assert known.of_session(cookies[1]) is None
    late = accounts(tmp_path).open_session("eva")
    assert accounts(tmp_path, hours=-1).of_session(late) is None


@pytest.mark.parametrize("change", ["x{}", "{}x", "{}."], ids=["word", "signature", "dot"])
def test_a_session_that_was_touched_is_none(tmp_path: Path, change: str) -> None:
    known = accounts(tmp_path)
    known.add("eva", Role.VIEWER, PASSWORD)
    cookie = known.open_session("eva")
    assert known.of_session(change.format(cookie)) is None
    assert known.of_session(cookie.partition(".")[0]) is None
    assert known.of_session("") is None


def test_tokens_act_as_their_user_until_taken_back(tmp_path: Path) -> None:
    known = accounts(tmp_path)
    known.add("mes", Role.VIEWER, PASSWORD)
    first, second = known.add_token("mes", "a"), known.add_token("mes", "b")
    assert known.all()[0][3] == ["a", "b"]
    known.remove_token("mes", "a")
    assert known.of_token(first) is None
    assert known.of_token(second) is not None
    known.remove("mes")
    assert known.of_token(second) is None
    with pytest.raises(ConfigError, match="there is no user mes"):
        known.add_token("mes", "a")


@pytest.mark.parametrize(
    ("name", "password", "said"),
    [("Eva", PASSWORD, "1 to 64 of"), ("../x", PASSWORD, "1 to 64 of"), ("eva", "short", "10 to")],
)
def test_names_and_passwords_that_will_not_do(
    tmp_path: Path, name: str, password: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        accounts(tmp_path).add(name, Role.VIEWER, password)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "web.db"
    WebDatabase(path)
    path.chmod(0o640)
    with pytest.raises(StoreError, match=f"chmod 600 {path}"):
        WebDatabase(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "web.db"
    sqlite3.connect(path).execute("CREATE TABLE t (a)").connection.close()
    path.chmod(0o600)
    with pytest.raises(StoreError, match="not a database of a live page"):
        WebDatabase(path)
    with pytest.raises(StoreError, match="check the folder"):
        WebDatabase(tmp_path / "none" / "web.db")


def test_whoever_fails_too_often_waits() -> None:
    at = [0.0]
    limit = LoginLimit(clock=lambda: at[0])
    for _ in range(PER_ACCOUNT):
        assert limit.wait_s("eva", "10.0.0.1") == 0
        limit.failed("eva", "10.0.0.1")
        at[0] += 1
    assert limit.wait_s("eva", "10.0.0.2") == pytest.approx(WINDOW_S - PER_ACCOUNT)
    assert limit.wait_s("ida", "10.0.0.1") == 0
    for n in range(PER_ADDRESS - PER_ACCOUNT):
        limit.failed(f"user{n}", "10.0.0.1")
    assert limit.wait_s("ida", "10.0.0.1") > 0
    at[0] += WINDOW_S
    assert limit.wait_s("eva", "10.0.0.1") == 0
    limit.failed("eva", "10.0.0.9")
    limit.passed("eva")
    assert limit.wait_s("eva", "10.0.0.9") == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"address": "0.0.0.0:443"}, "lets other machines in"),
        ({"address": "mill.example:443"}, "lets other machines in"),
        ({"certificate": Path("a.pem")}, "go together"),
        ({"address": "443"}, "an address and a port"),
    ],
)
def test_no_password_travels_in_the_clear(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        WebSection.model_validate(given)
    tls = {"address": "0.0.0.0:443", "certificate": Path("a"), "key": Path("b")}
    assert WebSection.model_validate(tls).encrypted
    assert not WebSection.model_validate({"address": "[::1]:80"}).encrypted
