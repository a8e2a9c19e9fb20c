"""``stripscan users`` and ``stripscan serve``, up to where a server would listen."""

import signal
import urllib.request
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from integration.cli.program import ended, start
from stripscan.cli.main import app
from stripscan.contract.errors import StripscanError
from stripscan.runtime.web.accounts import Accounts
from stripscan.runtime.web.database import WebDatabase
from stripscan.runtime.web.roles import Role
from unit.runtime.web_samples import PASSWORD, STATION

pytestmark = pytest.mark.usefixtures("loggers_restored")


@pytest.fixture
def station(tmp_path: Path) -> Path:
    path = tmp_path / "station.toml"
    path.write_text(STATION.format(web=0, control=9), encoding="utf-8")
    return path


def users(station: Path, *args: str, said: str = "") -> Result:
    return CliRunner().invoke(app, ["users", *args, "--station", str(station)], input=said)


def test_users_are_added_listed_and_removed(station: Path) -> None:
    assert users(station, "add", "eva", "--role", "engineer", said=f"{PASSWORD}\n").exit_code == 0
    known = Accounts(WebDatabase(station.parent / "web.db"), session_hours=1)
    assert known.is_password("eva", PASSWORD)
    token = users(station, "token", "eva", "--label", "mes").stdout.strip()
    found = known.of_token(token)
    assert found is not None
    assert (found.user, found.role) == ("eva", Role.ENGINEER)
    listed = users(station, "list").stdout
    assert "engineer" in listed
    assert "mes" in listed
    assert users(station, "token", "eva", "--label", "mes", "--revoke").exit_code == 0
    assert known.of_token(token) is None
    cookie = known.open_session("eva")
    assert users(station, "logout", "eva").exit_code == 0
    assert known.of_session(cookie) is None
    assert users(station, "remove", "eva").exit_code == 0
    assert not known.any()
    log = WebDatabase(station.parent / "web.db").rows("SELECT action, detail FROM audit")
    assert ("user added", "eva as engineer") in [tuple(row) for row in log]
    assert PASSWORD not in str([tuple(row) for row in log])


@pytest.mark.parametrize(
    ("args", "said", "reason"),
    [
        (("add", "eva"), "short\n", "a password has 10 to 256 characters, this one 5"),
        (("add", "Eva X"), f"{PASSWORD}\n", "a user is called by 1 to 64 of"),
        (("remove", "ida"), "", "there is no user ida"),
        (("token", "ida"), "", "there is no user ida"),
    ],
)
def test_mistakes_are_named(station: Path, args: tuple[str, ...], said: str, reason: str) -> None:
    error = users(station, *args, said=said).exception
    assert isinstance(error, StripscanError)
    assert reason in str(error)


def test_nobody_is_let_in_from_elsewhere_before_there_are_users(station: Path) -> None:
    text = station.read_text("utf-8") + "behind_proxy = true\n"
    station.write_text(text, encoding="utf-8")
    error = CliRunner().invoke(app, ["serve", str(station)]).exception
    assert isinstance(error, StripscanError)
    assert "add the first user with 'stripscan users add" in str(error)


def test_a_certificate_that_is_none_is_refused(station: Path) -> None:
    (station.parent / "web.crt").write_text("no certificate")
    text = station.read_text("utf-8") + 'certificate = "web.crt"\nkey = "web.crt"\n'
    station.write_text(text, encoding="utf-8")
    users(station, "add", "eva", said=f"{PASSWORD}\n")
    error = CliRunner().invoke(app, ["serve", str(station)]).exception
    assert isinstance(error, StripscanError)
    assert "certificate or key in [web] cannot be used" in str(error)


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT])
def test_a_page_that_is_told_to_stop_ends_well(station: Path, word: signal.Signals) -> None:
    process = start("serve", station, cwd=station.parent)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    with urllib.request.urlopen(f"{url}/healthz", timeout=20) as answer:  # noqa: S310 - http
        assert answer.status == 200
    with urllib.request.urlopen(f"{url}/login", timeout=20) as answer:  # noqa: S310 - http
        assert b"stripscan users add NAME" in answer.read()
    process.send_signal(word)
    code, said = ended(process)
    assert code == 0, said
    assert "there are no users yet" in said
