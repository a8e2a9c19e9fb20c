"""How well roll repeats are found: detection, distance to the alarm, rolls named, false alarms.

Only positions are simulated, not images. A coil is 1,000 m by 1,000 mm; all its defects are of one
class, the one of the prints, which is the hardest case. The baseline looks at the same stream and
alarms at three equal gaps, within the same tolerances along and across. The default seed was not
looked at while the search was made. Takes about a quarter of an hour of one core.

    python benchmarks/rolls.py --json benchmarks/reports/rolls.json
"""

import argparse
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.errors import StripscanError
from stripscan.contract.files import write_file
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.roll_periods import Roll, RollPeriods, place_mm
from stripscan.runtime.rolls import RollWatch

Figures = dict[str, float | int]
Places = NDArray[np.float64]
"""``[n, 2]``: metres from the head, millimetres from the left edge."""

LENGTH_M = 1000.0
STRIP_MM = 1000.0
MIN_DIAMETER_MM, MAX_DIAMETER_MM = 150.0, 2000.0
FALSE_ALARMS = 0.01
NO_PLACES: Places = np.empty((0, 2))

ROLLS = (
    Roll(name="finishing 6", diameter_mm=760, wear_mm=80),
    Roll(name="finishing 7", diameter_mm=700, wear_mm=60, elongation=1.03),
    Roll(name="looper", diameter_mm=230, wear_mm=10),
    Roll(name="run-out roller", diameter_mm=300, wear_mm=10),
    Roll(name="pinch roll", diameter_mm=500, wear_mm=20),
    Roll(name="deflector", diameter_mm=1200, wear_mm=10),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A damaged roll.

    Attributes:
        turns: Turns for which it prints.
        jitter_mm: Deviation of a print along and across.
        slip: Deviation of a turn as a share of the period; it adds up.
        missing: Share of prints that are not found.
        across_mm: Where it is; anywhere where None.
    """

    turns: int = 60
    jitter_mm: float = 2.0
    slip: float = 0.0005
    missing: float = 0.0
    across_mm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A kind of coil: what the roll does, what makes the other defects, and how many are run."""

    name: str
    mark: Mark | None
    clutter: Callable[[np.random.Generator], Places]
    coils: int


def even(a_metre: float) -> Callable[[np.random.Generator], Places]:
    """Return what makes defects at random, as many a metre."""

    def made(rng: np.random.Generator) -> Places:
        count = rng.poisson(a_metre * LENGTH_M)
        return rng.uniform((0, 0), (LENGTH_M, STRIP_MM), (count, 2))

    return made


def lanes(rng: np.random.Generator) -> Places:
    """Return three lanes of 20 mm with a defect every 3 m each, and 1 a metre elsewhere."""
    found = [even(1.0)(rng)]
    for across in rng.uniform(20, 980, 3):
        count = rng.poisson(LENGTH_M / 3)
        found.append(rng.uniform((0, across - 10), (LENGTH_M, across + 10), (count, 2)))
    return np.concatenate(found)


def one_lane(rng: np.random.Generator) -> Places:
    """Return a lane of 20 mm in the middle with a defect every 3 m, and 1 a metre elsewhere."""
    count = rng.poisson(LENGTH_M / 3)
    lane = rng.uniform((0, STRIP_MM / 2 - 10), (LENGTH_M, STRIP_MM / 2 + 10), (count, 2))
    return np.concatenate([even(1.0)(rng), lane])


def clusters(rng: np.random.Generator) -> Places:
    """Return 50 clusters of 20 defects, some metres long and 60 mm wide."""
    middle = rng.uniform((0, 0), (LENGTH_M, STRIP_MM), (50, 2))
    spread = rng.normal(0, (2.0, 30.0), (50, 20, 2))
    return np.clip((middle[:, None] + spread).reshape(-1, 2), 0, (LENGTH_M, STRIP_MM))


def bursts(rng: np.random.Generator) -> Places:
    """Return 0.5 a metre, and five stretches of 20 m with 30 a metre."""
    found = [even(0.5)(rng)]
    starts = rng.uniform(0, LENGTH_M - 20, 5)
    found += [rng.uniform((s, 0), (s + 20, STRIP_MM), (600, 2)) for s in starts]
    return np.concatenate(found)


HARD = Mark(jitter_mm=3.0, slip=0.001, missing=0.3)
SCENARIOS = (
    Scenario(name="prints alone", mark=Mark(), clutter=even(0), coils=100),
    Scenario(
        name="slip 0.2 %, jitter 4 mm",
        mark=Mark(jitter_mm=4, slip=0.002),
        clutter=even(0.2),
        coils=100,
    ),
    Scenario(name="30 % missing", mark=Mark(missing=0.3), clutter=even(0.2), coils=100),
    Scenario(name="50 % missing", mark=Mark(missing=0.5), clutter=even(0.2), coils=100),
    Scenario(name="clutter 1 a metre", mark=Mark(), clutter=even(1), coils=60),
    Scenario(name="clutter 5 a metre", mark=Mark(), clutter=even(5), coils=20),
    Scenario(name="hard, clutter 1 a metre", mark=HARD, clutter=even(1), coils=60),
    Scenario(name="hard, clutter in lanes", mark=HARD, clutter=lanes, coils=40),
    Scenario(name="clutter only, 0.2 a metre", mark=None, clutter=even(0.2), coils=200),
    Scenario(name="clutter only, 1 a metre", mark=None, clutter=even(1), coils=100),
    Scenario(name="clutter only, 5 a metre", mark=None, clutter=even(5), coils=20),
    Scenario(name="clutter only, 20 a metre", mark=None, clutter=even(20), coils=4),
    Scenario(name="clutter only, lanes", mark=None, clutter=lanes, coils=50),
    Scenario(name="clutter only, clusters", mark=None, clutter=clusters, coils=100),
    Scenario(name="clutter only, bursts", mark=None, clutter=bursts, coils=20),
    Scenario(
        name="hard, in a lane of clutter",
        mark=replace(HARD, across_mm=STRIP_MM / 2),
        clutter=one_lane,
        coils=40,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A repeat: where it was announced, and period and rolls as then known and at the end."""

    at_m: float
    across_mm: float
    period_mm: tuple[float, float]
    rolls: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coil:
    """The defects of a coil, and the roll that printed some of them, if one did."""

    places: Places
    roll: Roll | None = None
    period_mm: float = 0.0
    across_mm: float = 0.0
    first_m: float = 0.0


def make_coil(scenario: Scenario, rng: np.random.Generator) -> Coil:
    clutter = scenario.clutter(rng)
    if scenario.mark is None:
        return Coil(places=in_order(clutter))
    mark, roll = scenario.mark, ROLLS[rng.integers(len(ROLLS))]
    diameter_mm = roll.diameter_mm - rng.uniform(0, roll.wear_mm)
    period_mm = math.pi * diameter_mm * roll.elongation
    start_m, across_mm = rng.uniform(20, 500), mark.across_mm or rng.uniform(50, 950)
    turns = period_mm / 1000 * (1 + rng.normal(0, mark.slip, mark.turns))
    along = start_m + np.cumsum(turns) + rng.normal(0, mark.jitter_mm / 1000, mark.turns)
    across = across_mm + rng.normal(0, mark.jitter_mm, mark.turns)
    found = rng.random(mark.turns) >= mark.missing
    prints = np.stack([along, across], axis=1)[found & (along < LENGTH_M)]
    return Coil(
        places=in_order(np.concatenate([clutter, prints])),
        roll=roll,
        period_mm=period_mm,
        across_mm=across_mm,
        first_m=float(prints[0, 0]),
    )


def in_order(places: Places) -> Places:
    return places[np.argsort(places[:, 0], kind="stable")]


def defect(number: int, along_m: float, across_mm: float) -> Defect:
    """Return a defect of 10 mm by 10 mm."""
    return Defect(
        coil="simulated",
        number=number,
        phase=DefectPhase.END,
        class_name="inclusion",
        confidence=1.0,
        class_share={"inclusion": 1.0},
        severity="minor",
        along_start_m=along_m - 0.005,
        along_end_m=along_m + 0.005,
        across_left_mm=across_mm - 5,
        across_right_mm=across_mm + 5,
        area_mm2=100.0,
        length_mm=10.0,
        width_mm=10.0,
        edge_left_mm=across_mm - 5,
        edge_right_mm=STRIP_MM - across_mm - 5,
        first_line=0,
        last_line=0,
        first_px=0,
        last_px=0,
        area_px=1,
    )


def watched(
    coil: Coil, rolls: Sequence[Roll], *, false_alarms: float = FALSE_ALARMS
) -> list[Alarm]:
    """Return what ``RollWatch`` announces."""
    watch = RollWatch(
        coil="simulated",
        rolls=rolls,
        false_alarms=false_alarms,
        min_diameter_mm=MIN_DIAMETER_MM,
        max_diameter_mm=MAX_DIAMETER_MM,
    )
    said: dict[int, list[RollRepeat]] = {}
    for number, (along_m, across_mm) in enumerate(coil.places.tolist(), start=1):
        for repeat in watch.push([defect(number, along_m, across_mm)], settled_m=along_m):
            said.setdefault(repeat.number, []).append(repeat)
    return [
        Alarm(
            at_m=records[0].last_m,
            across_mm=records[0].across_mm,
            period_mm=(records[0].period_mm, records[-1].period_mm),
            rolls=(records[0].rolls, records[-1].rolls),
        )
        for records in said.values()
    ]


def equal_gaps(coil: Coil, rolls: Sequence[Roll]) -> list[Alarm]:
    """Return what three equal gaps announce: a print, and others one, two and three gaps before.

    One alarm a lane and 50 m counts.
    """
    periods = RollPeriods(rolls, min_diameter_mm=MIN_DIAMETER_MM, max_diameter_mm=MAX_DIAMETER_MM)
    along, across = coil.places[:, 0] * 1000, coil.places[:, 1]
    alarms: list[Alarm] = []
    for i in range(len(along)):
        at_m, across_mm = along[i] / 1000, across[i]
        if any(at_m - a.at_m < 50 and abs(across_mm - a.across_mm) < 30 for a in alarms):
            continue
        start = np.searchsorted(along, along[i] - 3.1 * periods.longest_mm)
        lane = along[start:i][np.abs(across[start:i] - across_mm) <= 10]
        gaps = along[i] - lane
        gaps = gaps[(gaps >= periods.shortest_mm) & (gaps <= periods.longest_mm)]
        for gap in gaps[::-1].tolist():
            room = float(place_mm(np.array(gap), length_mm=10.0))
            if all(np.abs(lane - (along[i] - k * gap)).min() <= k * room for k in (2, 3)):
                names = tuple(r.name for r in periods.rolls_at(gap, error_mm=room))
                found = Alarm(
                    at_m=at_m, across_mm=across_mm, period_mm=(gap, gap), rolls=(names, names)
                )
                alarms.append(found)
                break
    return alarms


def figures(
    scenario: Scenario, coils: Sequence[Coil], find: Callable[[Coil], list[Alarm]]
) -> Figures:
    """Return the figures of one method over the coils of a scenario."""
    started = time.process_time()
    alarms = [find(coil) for coil in coils]
    seconds = time.process_time() - started
    defects = sum(len(coil.places) for coil in coils)
    of_mark = [[a for a in f if belongs(a, c)] for c, f in zip(coils, alarms, strict=True)]
    false = [len(f) - len(m) for f, m in zip(alarms, of_mark, strict=True)]
    result: Figures = {
        "coils": len(coils),
        "defects_a_coil": defects / len(coils),
        "false_alarms_a_coil": float(np.mean(false)),
        "coils_with_false_alarms": sum(f > 0 for f in false),
        "cpu_us_a_defect": 1e6 * seconds / max(defects, 1),
    }
    if scenario.mark is None:
        return result
    first = [(c, m[0]) for c, m in zip(coils, of_mark, strict=True) if m]
    return (
        result
        | of_alarms(first, len(coils))
        | {"repeats_of_the_mark_a_coil": float(np.mean([len(m) for m in of_mark]))}
    )


def of_alarms(first: Sequence[tuple[Coil, Alarm]], coils: int) -> Figures:
    """Return the figures of the first alarms that are about the mark of a roll."""
    turns = np.round([(a.at_m - c.first_m) * 1000 / c.period_mm + 1 for c, a in first])
    right = [[abs(p / c.period_mm - 1) <= 0.01 for p in a.period_mm] for c, a in first]
    named = [(c.roll.name, a.rolls) for c, a in first if c.roll]
    return {
        "found": len(first) / coils,
        "turns_to_alarm_median": float(np.median(turns)),
        "turns_to_alarm_p90": float(np.percentile(turns, 90)),
        "metres_to_alarm_median": float(np.median([a.at_m - c.first_m for c, a in first])),
        "alarm_at_third_print": float(np.mean(turns <= 3)),
        "right_period": share(now for now, _ in right),
        "right_period_at_end": share(last for _, last in right),
        "right_roll": share(name in now for name, (now, _) in named),
        "right_roll_at_end": share(name in last for name, (_, last) in named),
        "right_roll_alone_at_end": share((name,) == last for name, (_, last) in named),
        "wrong_roll_at_end": share(last and name not in last for name, (_, last) in named),
    }


def share(truths: Iterable[object]) -> float:
    return float(np.mean([bool(truth) for truth in truths]))


def belongs(alarm: Alarm, coil: Coil) -> bool:
    """Return whether an alarm is about the roll's mark, be its period right or not."""
    last_m = coil.first_m + 70 * coil.period_mm / 1000
    return (
        coil.roll is not None
        and coil.first_m < alarm.at_m < last_m
        and abs(alarm.across_mm - coil.across_mm) <= 20
    )


def measure(part: float, seed: int) -> dict[str, object]:
    table: dict[str, dict[str, Figures]] = {}
    for index, scenario in enumerate(SCENARIOS):
        rng = np.random.default_rng((seed, index))
        count = max(1, round(part * scenario.coils))
        coils = [make_coil(scenario, rng) for _ in range(count)]
        table[scenario.name] = row = {
            "rolls known": figures(scenario, coils, lambda c: watched(c, ROLLS)),
            "rolls unknown": figures(scenario, coils, lambda c: watched(c, ())),
            "three equal gaps": figures(scenario, coils, lambda c: equal_gaps(c, ROLLS)),
        }
        if scenario.mark is None:
            row["budget of 1 a coil"] = figures(
                scenario, coils, lambda c: watched(c, ROLLS, false_alarms=1.0)
            )
        print_row(scenario.name, row)
    return {
        "benchmark": "rolls",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seed": seed,
        "coil_m": LENGTH_M,
        "false_alarms_per_coil": FALSE_ALARMS,
        "scenarios": table,
    }


def print_row(name: str, row: dict[str, Figures]) -> None:
    print(f"\n{name}")
    for method, values in row.items():
        shown = "  ".join(f"{key} {value:.4g}" for key, value in values.items())
        print(f"  {method:<20}{shown}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the record here")
    parser.add_argument("--part", type=float, default=1.0, help="share of the coils to run")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    try:
        record = measure(options.part, options.seed)
        if options.json:
            write_file(options.json, json.dumps(record, indent=2).encode() + b"\n")
    except StripscanError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
