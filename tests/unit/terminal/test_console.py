"""What is said goes to stderr, as it stands."""

import pytest

from stripscan.terminal.console import fail, results, say, warn


def test_messages_leave_stdout_to_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    say("reading")
    warn("no strip edge found")
    fail("no such coil")
    results.print("42")

    captured = capsys.readouterr()
    assert captured.out == "42\n"
    assert captured.err == "reading\nwarning: no strip edge found\nerror: no such coil\n"


def test_brackets_are_no_markup_and_long_lines_stay_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = "pip install 'stripscan[train]' " + "x" * 200
    fail(command)

    assert capsys.readouterr().err == f"error: {command}\n"
