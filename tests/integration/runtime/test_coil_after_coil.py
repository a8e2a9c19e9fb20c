"""Coils that follow each other under a camera that never stops."""

import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.errors import CommandError
from stripscan.runtime.bands import TOO_SLOW
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.shutdown import Hangup
from stripscan.runtime.station_control import CoilSection
from stripscan.runtime.station_encoder import EncoderSection
from stripscan.runtime.station_rules import RulesSection
from stripscan.runtime.store import CoilRecord, Store
from stripscan.runtime.supervision import Supervisor
from unit.runtime.encoder_samples import COUNTS_PER_LINE, turning
from unit.runtime.inspection_samples import MM_PER_LINE, station
from unit.runtime.line_samples import (
    LINES,
    Tape,
    open_book,
    run,
    spans,
    spotted,
    told_of,
)
from unit.runtime.rules_samples import HEAD, write_rules


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "line.sqlite"


def coil(path: Path, name: str) -> CoilRecord:
    with Store.open(path, readonly=True) as opened:
        return opened.coil(name)


def lines_of(path: Path, name: str) -> int:
    with Store.open(path, readonly=True) as opened:
        return spans(opened.coverage(name))[-1][0]


def start(book: OrderBook, name: str) -> object:
    return lambda: book.start(PlannedCoil(id=name, length_m=0.5, width_mm=900.0))


def test_each_coil_is_inspected_as_if_it_were_alone(store: Path, tmp_path: Path) -> None:
    book, strip = open_book(), spotted(8 * LINES)
    during = {
        0: [start(book, "a")],
        2: [start(book, "b")],
        4: [book.end],
        6: [start(book, "c"), start(book, "d")],
    }
    result = run(store, Tape(strip, during=during), book=book)

    assert (result.coil, result.coils, result.interrupted) == ("d", 4, False)
    at = 0
    for name in ("a", "b", "c", "d"):
        record = coil(store, name)
        assert record.status == "complete"
        assert record.stats["planned_length_m"] == 0.5
        assert record.stats["planned_width_mm"] == 900.0
        before = record.stats["lines_before_coil"]
        assert isinstance(before, int)
        assert (before > 0) == (name == "c")
        first = at + before
        at = first + lines_of(store, name)
        assert first == 0 or first % LINES, "the change is within a block"
        run(tmp_path / f"{name}.sqlite", Tape(strip[first:at]), coil=name)
        assert told_of(store, name) == told_of(tmp_path / f"{name}.sqlite", name)
        assert told_of(store, name)[0]
    assert at == len(strip)


def encoded(path: Path, tape: Tape, book: OrderBook) -> None:
    parts = {
        "encoder": EncoderSection(mm_per_count=MM_PER_LINE / COUNTS_PER_LINE),
        "coil": CoilSection(control="commands"),
    }
    run(path, tape, book=book, setup=station().model_copy(update=parts))


@pytest.mark.parametrize(("pause_s", "cut"), [(0.0, 4 * LINES), (2.2, 3 * LINES)])
def test_a_coil_changes_where_the_strip_stops_and_moves_back(
    store: Path, tmp_path: Path, pause_s: float, cut: int
) -> None:
    """The strip goes 4 blocks, 1 back, and on; the coil changes while it is away from the end.

    After a long stop the last block before it is not placed yet, and belongs to what comes.
    """
    book, strip = open_book(), spotted(8 * LINES)
    rows = turning(0, 4 * LINES - 1, 3 * LINES - 1, 8 * LINES - 1)
    change = [lambda: time.sleep(0.05), start(book, "b"), lambda: time.sleep(pause_s)]
    during = {0: [start(book, "a")], 4: change, 7: [start(book, "c")]}
    counts = (rows * COUNTS_PER_LINE).tolist()
    encoded(store, Tape(strip[rows], during=during, counts=counts), book)
    ends = np.cumsum([lines_of(store, name) for name in "abc"]).tolist()
    assert ends[0] == cut
    assert 5 * LINES < ends[1] < 6 * LINES  # block 7 of the camera is the strip's block 5
    assert ends[2] == len(strip)
    for name, first, stop in zip("abc", [0, *ends], ends, strict=False):
        run(tmp_path / f"{name}.sqlite", Tape(strip[first:stop]), coil=name)
        assert told_of(store, name) == told_of(tmp_path / f"{name}.sqlite", name)
        assert {state for _, state, _ in told_of(store, name)[1]} == {"inspected"}
    figures = [coil(store, name).stats for name in "abc"]
    assert sum(each["reversals"] for each in figures) == 1  # type: ignore[misc]
    assert sum(each["reseen_lines"] for each in figures) == 2 * LINES  # type: ignore[misc]


def test_a_fault_of_the_encoder_is_in_the_coils_that_it_hit(store: Path) -> None:
    book, strip = open_book(), spotted(8 * LINES)
    counts = np.arange(8 * LINES) * COUNTS_PER_LINE
    counts[3 * LINES :] += 10**6
    during = {0: [start(book, "a")], 2: [start(book, "b")], 5: [start(book, "c")]}
    tape = Tape(strip, during=during, counts=counts.tolist())
    encoded(store, tape, book)
    a, b = lines_of(store, "a"), lines_of(store, "b")
    jumped = (3 * LINES - a, "unknown", "encoder jumped by 1000000 counts")
    assert told_of(store, "b")[1] == [jumped, (b, "inspected", "")]
    assert told_of(store, "a")[1] == [
        (2 * LINES, "inspected", ""),
        (a, "unknown", "encoder jumped by 1000000 counts"),
    ]
    assert {state for _, state, _ in told_of(store, "c")[1]} == {"inspected"}
    faults = [coil(store, name).stats["encoder_faults"] for name in "abc"]
    assert faults == [1, 0, 0]  # it was noticed before the block was cut


def test_a_frozen_camera_does_not_look_alive_because_the_coil_changes(store: Path) -> None:
    book = open_book()
    frozen = np.tile(spotted(LINES), (5, 1))
    run(store, Tape(frozen, during={0: [start(book, "a")], 2: [start(book, "b")]}), book=book)
    lines = lines_of(store, "a")
    assert told_of(store, "a")[1] == [
        (LINES, "inspected", ""),
        (lines, "unknown", "repeated image"),
    ]
    assert told_of(store, "b")[1] == [(5 * LINES - lines, "unknown", "repeated image")]
    assert told_of(store, "b")[0] == []


def test_a_change_within_lost_strip_leaves_both_coils_accounted_for(store: Path) -> None:
    book, strip = open_book(), spotted(6 * LINES)
    during = {0: [start(book, "a")], 2: [start(book, "b")]}
    run(store, Tape(strip, during=during, missing=(2, 3)), book=book)
    a, b = lines_of(store, "a"), lines_of(store, "b")
    assert 2 * LINES < a < 4 * LINES
    assert a + b == len(strip)
    assert told_of(store, "a")[1] == [(2 * LINES, "inspected", ""), (a, "dropped", "lost lines")]
    assert told_of(store, "b")[1] == [
        (4 * LINES - a, "dropped", TOO_SLOW),
        (b, "inspected", ""),
    ]


def test_a_coil_that_met_no_line_is_held(store: Path) -> None:
    book = open_book()
    during = {0: [start(book, "a"), start(book, "b")]}
    run(store, Tape(spotted(LINES), during=during), book=book)
    with Store.open(store, readonly=True) as opened:
        assert (opened.coil("a").status, opened.coil("a").length_m) == ("complete", 0)
        assert opened.gradings("a")[0].grade == "hold"
    assert lines_of(store, "b") == LINES


def test_a_clock_that_is_set_costs_nothing_and_leaves_times_in_order(
    store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The time of day goes 3 h forth while a runs and 8 h back while b runs."""
    book, strip, supervisor = open_book(), spotted(10 * LINES), Supervisor()
    real_s, off = time.monotonic(), [timedelta()]

    def wall() -> datetime:
        passed = timedelta(seconds=time.monotonic() - real_s)
        return datetime(2026, 3, 29, 0, 30, tzinfo=UTC) + passed + off[0]

    def set_while(name: str, hours: int) -> object:
        def act() -> None:
            limit_s = time.monotonic() + 20
            while supervisor.coil is None or supervisor.coil.plan.id != name:
                assert time.monotonic() < limit_s
                time.sleep(0.001)
            off[0] += timedelta(hours=hours)

        return act

    during = {
        0: [start(book, "a")],
        2: [set_while("a", 3)],
        4: [start(book, "b")],
        6: [set_while("b", -8)],
        8: [start(book, "c")],
    }
    run(store, Tape(strip, during=during), book=book, supervisor=supervisor, wall=wall)
    run_s = time.monotonic() - real_s
    with Store.open(store, readonly=True) as opened:
        newest_first = opened.coils()
    assert [each.id for each in newest_first] == ["c", "b", "a"]
    took_s = []
    for each in newest_first:
        assert each.ended_at is not None
        ended, began = (
            datetime.fromisoformat(each.ended_at),
            datetime.fromisoformat(each.started_at),
        )
        took_s.append((ended - began).total_seconds())
    assert min(took_s) >= 0
    assert sum(took_s) <= run_s
    figures = [each.stats.get("clock_set_s") for each in newest_first]
    assert figures == [None, pytest.approx(-8 * 3600, abs=0.1), pytest.approx(3 * 3600, abs=0.1)]
    assert len([r for r in caplog.records if r.message == "the clock was set"]) == 2
    first = 0
    for name in "abc":
        stop = first + lines_of(store, name)
        run(tmp_path / f"{name}.sqlite", Tape(strip[first:stop]), coil=name)
        assert told_of(store, name) == told_of(tmp_path / f"{name}.sqlite", name)
        first = stop
    assert first == len(strip)


def test_orders_that_cannot_be_are_refused(store: Path) -> None:
    book = OrderBook("the station is warming up")
    with pytest.raises(CommandError, match="the station is warming up"):
        book.end()
    book.open(["old"])
    with pytest.raises(CommandError, match="coil old is already in the store: choose another id"):
        book.start(PlannedCoil(id="old"))
    with pytest.raises(CommandError, match="no coil is running: start one first"):
        book.end()
    assert book.start(PlannedCoil(id="new")) is None
    with pytest.raises(CommandError, match="coil new is already"):
        book.start(PlannedCoil(id="new"))
    assert book.start(PlannedCoil(id="next")) == "new"
    assert book.end() == "next"
    assert [order.coil and order.coil.id for order in book.take()] == ["new", "next", None]
    run(store, Tape(spotted(LINES)), book=book)
    with pytest.raises(CommandError, match="the station stops"):
        book.start(PlannedCoil(id="late"))


RULE = '[[severity]]\nname = "all"\nmin_area_mm2 = 0\nseverity = "{}"\n'


def test_sighup_reads_the_rules_again_and_a_bad_file_changes_nothing(
    store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = write_rules(tmp_path, RULE.format("minor"))
    setup = station().model_copy(update={"rules": RulesSection(path=first.source)})
    book, hangup = open_book(), Hangup()

    def rules(text: str) -> None:
        first.source.write_text(HEAD + text, encoding="utf-8")
        signal.raise_signal(signal.SIGHUP)

    tape = Tape(
        spotted(8 * LINES),
        during={
            1: [start(book, "a")],
            2: [lambda: rules(RULE.format("major"))],
            4: [start(book, "b")],
            5: [lambda: rules(RULE.format("terrible"))],
        },
    )
    with hangup.listening():
        run(store, tape, book=book, hangup=hangup, setup=setup)
    with Store.open(store, readonly=True) as opened:
        for name in ("a", "b"):
            assert {d.severity for d in opened.defects(name)} == {"major"}
            assert RULE.format("major") in opened.gradings(name)[0].rules_text
            assert {i.status for i in opened.coverage(name)} == {"inspected"}
    bad = [r for r in caplog.records if r.message == "rules are not reloaded"]
    assert len(bad) == 1
    assert "rules.toml:7: severity[1].severity" in bad[0].reason  # type: ignore[attr-defined]
