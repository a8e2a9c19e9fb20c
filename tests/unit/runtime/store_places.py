"""Where stores may be: a SQLite file, and a schema of a real PostgreSQL that runs for the tests."""

import atexit
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

_NAMES = itertools.count(1)


class PostgresServer:
    """Listens on a socket of its own; what it keeps is gone with it, so nothing is synced."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stripscan-pg-"))
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        shutil.chown(self.folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        data = self.folder / "data"
        self._run("initdb", "-D", data, "-U", "stripscan", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        settings = ("listen_addresses=", "fsync=off", "full_page_writes=off")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(_program("postgres"), "-D", self.folder / "data", "-k", self.folder),
                    *(part for setting in settings for part in ("-c", setting)),
                ],
                stdout=log,
                stderr=log,
                user=self._user if os.geteuid() == 0 else None,
            )
        until = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)

    def stop(self, kind: signal.Signals = signal.SIGINT) -> None:
        """End it; SIGINT cuts its connections, SIGQUIT is as a crash."""
        if self._process is not None:
            self._process.send_signal(kind)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, schema: str = "public", *, user: str = "stripscan") -> str:
        options = quote(f"-csearch_path={schema}")
        return f"postgresql+psycopg://{user}@/postgres?host={quote(str(self.folder))}&options={options}"

    def new_schema(self) -> str:
        name = f"line_{next(_NAMES)}"
        execute(self.url(), f"CREATE SCHEMA {name}")
        return name

    def _answers(self) -> bool:
        try:
            execute(self.url(), "SELECT 1")
        except sa.exc.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [_program(program), *map(str, arguments)],
            check=True,
            capture_output=True,
            user=self._user if os.geteuid() == 0 else None,
            cwd=self.folder,
        )


def _program(name: str) -> Path:
    return sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))[-1]


@cache
def postgres() -> PostgresServer:
    """Return the server that all tests share."""
    server = PostgresServer()
    atexit.register(server.remove)
    return server


def execute(place: Path | str, sql: str) -> list[tuple[object, ...]]:
    """Do with a store's database what stripscan would not."""
    engine = sa.create_engine(
        f"sqlite:///{place}" if isinstance(place, Path) else place, poolclass=sa.NullPool
    )
    with engine.begin() as connection:
        result = connection.exec_driver_sql(sql)
        return [tuple(row) for row in result] if result.returns_rows else []


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.debian("postgresql"))]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Return where a new store may be, once for each database."""
    if request.param == "sqlite":
        return tmp_path / "line.sqlite"
    server = postgres()
    return server.url(server.new_schema())
