"""What the counts tell of the strip, worked out by hand: a line is 0.5 mm and 5 counts."""

import dataclasses
import logging

import numpy as np
import pytest

from stripscan.contract.block import Block, LineRange
from unit.runtime.encoder_samples import (
    encoder,
    followed,
    numbered,
    numbers,
    states,
    turning,
    watched,
)


def counted(first: int, lines: int, count: int | None, **fields: object) -> Block:
    """Return a block whose lines tell their numbers, taken at 10 kHz."""
    one = Block(
        pixels=numbered(np.arange(first, first + lines)),
        camera="top-1",
        first_line=first,
        along_m=0.0,
        mm_per_line=0.5,
        host_ns=(first + lines) * 10**5,
        encoder_count=count,
    )
    return dataclasses.replace(one, **fields)


def of_100(*counts: int | None) -> list[Block]:
    return [counted(100 * n, 100, count) for n, count in enumerate(counts)]


def summary(told: list[tuple[str, int, float]]) -> list[tuple[str, int]]:
    """Return how many lines in a row have which status."""
    runs: list[tuple[str, int]] = []
    for state, _, _ in told:
        before = runs.pop() if runs and runs[-1][0] == state else (state, 0)
        runs.append((state, before[1] + 1))
    return runs


def test_a_block_waits_for_the_count_of_the_next() -> None:
    chain = encoder()
    first, second = of_100(0, 500)
    assert chain.place(first) == ()
    (placed,) = chain.place(second)
    assert (placed.block.lines, placed.spans) == (first.lines, ())
    (last,) = chain.flush()
    assert (last.block.first_line, last.block.along_m) == (100, pytest.approx(0.05))
    assert chain.flush() == ()


def test_the_pitch_of_a_free_camera_follows_the_counts() -> None:
    placed = followed(encoder(triggers_lines=False), of_100(0, 500, 800, 1050))
    assert [p.block.mm_per_line for p in placed] == pytest.approx([0.5, 0.3, 0.25, 0.25])
    assert [p.block.along_m for p in placed] == pytest.approx([0, 0.05, 0.08, 0.105])
    assert [p.status for p in placed] == ["inspected"] * 4


def test_a_free_camera_drops_lines_that_are_closer_than_half_a_pitch() -> None:
    placed = followed(encoder(triggers_lines=False), of_100(0, 500, 600, 1100))
    slow = placed[1].block
    assert numbers(slow.pixels) == [*range(100, 200, 3)]
    assert (slow.mm_per_line, slow.along_m) == (pytest.approx(0.3), pytest.approx(0.05))
    assert states(placed)[-1][2] == pytest.approx(0.11 + 0.0495)


def test_a_free_camera_is_told_when_the_strip_outruns_its_lines() -> None:
    placed = followed(encoder(triggers_lines=False), of_100(0, 500, 1400, 1900))
    assert [(p.status, p.reason) for p in placed[:2]] == [
        ("inspected", ""),
        ("degraded", "the strip is too fast for the camera's lines"),
    ]


def test_a_stop_of_a_free_camera_brings_no_strip_and_one_reminder() -> None:
    blocks = of_100(0, 500, 500, *[500] * 100, 500, 1000)
    chain = encoder(triggers_lines=False, max_reversal_m=0.5)
    told = states(followed(chain, blocks))
    assert summary(told) == [("inspected", 100), ("unknown", 1), ("inspected", 199)]
    assert told[-1][2] == pytest.approx(0.1495)
    assert chain.reseen_lines == 102 * 100 + 1
    assert (chain.reversals, chain.faults) == (0, 0)


def test_a_jump_of_the_counter_is_named_and_moves_nothing() -> None:
    chain = encoder()
    blocks = of_100(0, 500, 9_000_500, 9_001_000)
    placed = followed(chain, blocks)
    assert [(p.status, p.reason) for p in placed] == [
        ("inspected", ""),
        ("unknown", "encoder jumped by 8999500 counts"),
        ("inspected", ""),
        ("inspected", ""),
    ]
    assert [p.block.along_m for p in placed] == pytest.approx([0, 0.05, 0.1, 0.15])
    assert chain.faults == 1


def test_the_cameras_clock_decides_what_is_a_jump() -> None:
    blocks = [counted(0, 100, 0, camera_ns=0), counted(100, 100, 3500, camera_ns=10**7)]
    slow = followed(encoder(max_speed_m_s=30), blocks)
    fast = followed(encoder(max_speed_m_s=20), blocks)
    assert (slow[0].status, fast[0].status) == ("degraded", "unknown")


def test_lines_that_were_missed_are_on_record() -> None:
    placed = followed(encoder(), of_100(0, 750, 1250))
    assert placed[0].reason == "the strip moved further than its lines tell"
    told = states(placed)
    assert summary(told) == [("degraded", 100), ("lost", 50), ("inspected", 200)]
    assert told[150][2] == pytest.approx(0.075)


def test_lost_blocks_are_as_long_as_the_counts_say() -> None:
    there = of_100(*range(0, 3500, 500))
    told = states(followed(encoder(), [*there[:2], *there[5:]]))
    assert summary(told) == [("inspected", 200), ("lost", 300), ("inspected", 200)]
    assert told[500][2] == pytest.approx(0.25)
    standing = [counted(0, 100, 0), counted(100, 100, 500), counted(900, 100, 520)]
    told = states(followed(encoder(triggers_lines=False), standing))
    assert ("lost", 1) not in summary(told)
    assert told[-1][2] < 0.06


def test_a_block_that_turns_and_comes_back_shows_its_new_lines_last() -> None:
    rows = turning(0, 99, 60, 250)
    told = states(followed(chain := encoder(), watched(rows, [100, 250, 300], stops=[100])))
    assert summary(told) == [("inspected", 100), ("degraded", 72), ("inspected", 79)]
    assert [row for _, row, _ in told] == [*range(251)]
    assert (chain.reversals, chain.reseen_lines) == (1, len(rows) - 251)


def test_a_block_that_hides_a_turn_is_unknown() -> None:
    rows = turning(0, 150, 120, 300)
    placed = followed(chain := encoder(), watched(rows, [100, 300]))
    told = states(placed)
    assert summary(told) == [("inspected", 100), ("unknown", 140), ("inspected", 61)]
    assert placed[1].reason == "the strip moved back and forth"
    assert [row for state, row, _ in told if state == "inspected"] == [
        *range(100),
        *range(240, 301),
    ]
    assert chain.reversals == 1


@pytest.mark.parametrize("free", [False, True])
def test_an_encoder_that_counts_the_wrong_way_hides_no_strip(
    free: bool, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = of_100(*range(0, -500 * 200, -500))
    chain = encoder(triggers_lines=not free)
    with caplog.at_level(logging.WARNING):
        told = states(followed(chain, blocks))
    unknown = [state for state, _, _ in told].count("unknown")
    assert unknown > 0.75 * 20_000
    assert [state for state, _, _ in told].count("inspected") < 2000
    assert chain.faults > 0
    assert "encoder" in caplog.text


def test_an_encoder_that_died_hides_no_triggered_lines() -> None:
    blocks = of_100(0, 500, *[1000] * 100)
    told = states(followed(encoder(max_reversal_m=0.5), blocks))
    assert [state for state, _, _ in told].count("unknown") >= 10_000 - 2400


def test_a_camera_without_counts_keeps_its_pitch_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    placed = followed(encoder(), of_100(None, None, None, None))
    assert summary(states(placed)) == [("inspected", 400)]
    assert [p.block.along_m for p in placed] == pytest.approx([0, 0.05, 0.1, 0.15])
    assert [record.message for record in caplog.records] == [
        "a block came without the encoder's count: check the camera's chunk data"
    ]


def test_one_block_without_a_count_leaves_no_trace() -> None:
    told = states(followed(encoder(), of_100(0, None, 1000, 1500)))
    assert summary(told) == [("inspected", 400)]
    assert told[-1][2] == pytest.approx(0.1995)


def test_blocks_that_come_twice_or_overlap_count_once() -> None:
    first, second, third = of_100(0, 500, 1000)
    overlapping = counted(50, 100, 250)
    placed = followed(encoder(), [first, first, overlapping, second, first, third])
    told = states(placed)
    assert [row for _, row, _ in told] == [*range(300)]
    assert summary(told) == [("inspected", 300)]


def test_lost_lines_keep_their_place_where_others_are_left_out() -> None:
    rows = turning(0, 99, 50, 199)
    blocks = watched(rows, [100, 148, 297], stops=[100, 149])
    holes = (LineRange(start=170, stop=210), LineRange(start=240, stop=242))
    again = next(n for n, b in enumerate(blocks) if b.first_line == 149)
    blocks[again] = dataclasses.replace(blocks[again], lost=holes)
    placed = followed(encoder(), blocks)
    lost = [hole for each in placed for hole in each.block.lost]
    told = states(placed)
    shown = [rows[line] for hole in holes for line in range(hole.start, hole.stop)]
    assert [told[n][1] for hole in lost for n in range(hole.start, hole.stop)] == [
        row for row in shown if row > 99
    ]


def test_a_coil_may_begin_with_lost_lines() -> None:
    placed = followed(encoder(), [counted(500, 100, 7), counted(600, 100, 507)])
    assert [(p.block.first_line, p.block.along_m) for p in placed] == [
        (500, pytest.approx(0.25)),
        (600, pytest.approx(0.3)),
    ]
