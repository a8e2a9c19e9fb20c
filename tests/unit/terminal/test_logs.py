"""A log line is one line, and its fields come back from it."""

import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripscan.contract.errors import ConfigError
from stripscan.terminal.logs import LineFormatter, configure_logging


def line_of(message: str, *, as_json: bool, **extra: object) -> str:
    record = logging.makeLogRecord(
        {
            "name": "stripscan.runtime",
            "levelname": "INFO",
            "created": 1735732800.25,
            "msg": message,
            **extra,
        }
    )
    return LineFormatter(as_json=as_json).format(record)


def test_what_a_library_notes_for_itself_is_no_part_of_the_event() -> None:
    assert line_of("coil started", as_json=False, _ray_timestamp_ns=7).endswith('coil started"')


def test_a_line_for_people() -> None:
    assert line_of("coil started", as_json=False, coil="C 17", lines=256, share=0.5) == (
        "time=2025-01-01T12:00:00.250Z level=info logger=stripscan.runtime "
        'event="coil started" coil="C 17" lines=256 share=0.5'
    )


def test_a_line_for_machines() -> None:
    line = line_of("coil started", as_json=True, coil="C 17", share=float("nan"))
    assert json.loads(line) == {
        "time": "2025-01-01T12:00:00.250Z",
        "level": "info",
        "logger": "stripscan.runtime",
        "event": "coil started",
        "coil": "C 17",
        "share": "nan",
    }


@given(message=st.text(), coil=st.text(), as_json=st.booleans())
def test_nothing_in_a_message_forges_a_second_line(message: str, coil: str, as_json: bool) -> None:
    assert len(line_of(message, as_json=as_json, coil=coil).splitlines()) == 1


@given(message=st.text(), coil=st.text())
def test_fields_come_back_from_a_line(message: str, coil: str) -> None:
    fields = json.loads(line_of(message, as_json=True, coil=coil))
    assert (fields["event"], fields["coil"]) == (message, coil)

    rest = line_of(message, as_json=False, coil=coil).partition(" event=")[2]
    if rest.startswith('"'):
        event, end = json.JSONDecoder().raw_decode(rest)
    else:
        event, end = rest.partition(" ")[0], rest.index(" ")
    assert event == message
    value = rest[end:].removeprefix(" coil=")
    assert (json.loads(value) if value.startswith('"') else value) == coil


def test_a_field_cannot_replace_the_level() -> None:
    assert " level=info " in line_of("x", as_json=False, level="critical")


@pytest.mark.usefixtures("loggers_restored")
def test_configuring_twice_logs_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    configure_logging("warning", as_json=True)
    logger = logging.getLogger("stripscan.runtime.pipeline")
    logger.info("not heard")
    logger.warning("block lost", extra={"lines": 12})
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["lines"] == 12


@pytest.mark.usefixtures("loggers_restored")
def test_a_traceback_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logging.getLogger("stripscan").error("failed", exc_info=sys.exc_info())
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: first\\nsecond" in line


def test_an_unknown_level_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'loud' is unknown: use one of DEBUG, INFO"):
        configure_logging("loud")
