"""Every way to end is a message and an exit code."""

import errno
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from stripscan.contract import errors as tree
from stripscan.contract.errors import MissingPartError, StripscanError, missing_extra
from stripscan.terminal.errors import exit_code_of, guard
from stripscan.terminal.logs import LineFormatter


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STRIPSCAN_DEBUG", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["stripscan"])


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def errors_of_the_tree() -> list[type[StripscanError]]:
    return [
        kind
        for kind in vars(tree).values()
        if isinstance(kind, type) and issubclass(kind, StripscanError)
    ]


@pytest.mark.parametrize("kind", errors_of_the_tree())
def test_an_error_of_the_tree_is_its_message_and_its_code(
    kind: type[StripscanError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(raising(kind("pitch_mm is -1 mm: give a positive one"))) == kind.exit_code
    captured = capsys.readouterr()
    assert captured.err == "error: pitch_mm is -1 mm: give a positive one\n"
    assert captured.out == ""


def test_a_missing_extra_names_the_whole_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(raising(missing_extra("train", "stripscan train"))) == (
        MissingPartError.exit_code
    )
    assert "pip install 'stripscan[train]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (errno.ENOSPC, 3, "error: out.db: No space left on device\n"),
        (errno.EROFS, 3, "error: out.db: Read-only file system\n"),
        (errno.ENOENT, 2, "error: out.db: No such file or directory\n"),
        (errno.EACCES, 2, "error: out.db: Permission denied\n"),
    ],
)
def test_a_file_system_error_names_the_file(
    number: int, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, os.strerror(number), "out.db")
    assert exit_code_of(raising(error)) == code
    assert capsys.readouterr().err == said


def test_anything_else_is_a_bug_whose_traceback_is_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert exit_code_of(raising(ZeroDivisionError("division by zero"))) == 70
    said = capsys.readouterr().err
    assert "error: this is a bug: ZeroDivisionError: division by zero\n" in said
    assert "Traceback" not in said
    (kept,) = tmp_path.glob("stripscan-*.log")
    assert str(kept) in said
    assert "in main\n" in kept.read_text(encoding="utf-8")


def test_a_bug_is_one_line_in_a_configured_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(LineFormatter(as_json=False))
    with caplog.at_level(logging.CRITICAL):
        exit_code_of(raising(ZeroDivisionError("division by zero")))
    line = caplog.text.rstrip("\n")
    assert "\n" not in line
    assert 'event="unexpected error"' in line
    assert "ZeroDivisionError: division by zero" in line


def test_the_traceback_is_shown_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRIPSCAN_DEBUG", "1")
    assert exit_code_of(raising(ZeroDivisionError("division by zero"))) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(130)])
def test_an_interrupt_is_4(stop: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(raising(stop)) == 4
    assert capsys.readouterr().err.startswith("interrupted")


@pytest.mark.parametrize(("raised", "code"), [(None, 0), (0, 0), (1, 1), (2, 2), (3, 3)])
def test_a_deliberate_exit_keeps_its_code(raised: int | None, code: int) -> None:
    assert exit_code_of(raising(SystemExit(raised))) == code


def app_that(error: BaseException | None) -> Callable[[], object]:
    app = typer.Typer()

    @app.command()
    def inspect(count: int = 1) -> None:
        if error is not None:
            raise error

    return app


@pytest.mark.parametrize(
    ("error", "arguments", "code"),
    [
        (None, [], 0),
        (None, ["--count", "three"], 2),
        (None, ["--cuont", "3"], 2),
        (KeyboardInterrupt(), [], 4),
        (StripscanError("no"), [], 1),
        (MissingPartError("no GPU"), [], 3),
    ],
)
def test_a_typer_app_ends_the_same_way(
    error: BaseException | None,
    arguments: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["stripscan", *arguments])
    with pytest.raises(SystemExit) as stop:
        guard(app_that(error))()
    assert stop.value.code == code


def test_a_reader_that_has_gone_is_no_error() -> None:
    program = (
        "from stripscan.terminal.console import results\n"
        "from stripscan.terminal.errors import guard\n"
        "guard(lambda: [results.print('line') for _ in range(100_000)])()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 141
    assert said == ""
