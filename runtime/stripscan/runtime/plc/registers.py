"""The station as registers and bits; docs/how-to/connect-a-plc.md is the map for the PLC.

Numbers of 32 bits take two registers, the high word first; Modbus sends each word's high byte
first. What does not fit is the largest number that does.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from stripscan.runtime.alarms import AlarmKind
from stripscan.runtime.line_state import AT_WORK, LineState
from stripscan.runtime.news import LatestDefect, News
from stripscan.runtime.supervision import Supervisor

MAP_VERSION: Final = 1
"""Rises when a register means something else; new ones may come at the end."""

REGISTERS: Final = 48
DISCRETE_INPUTS: Final = 64
COILS: Final = 32

ACTIVE: Final = 16
"""Discrete input of the first alarm whose cause lasts."""

UNACKNOWLEDGED: Final = 32
"""Discrete input of the first alarm that nobody has acknowledged."""

FLAGS: Final = 48
"""Discrete inputs: a coil is there, the station is at work, it is degraded."""

ACKNOWLEDGE: Final = 16
"""Coil that acknowledges the first alarm."""

ACKNOWLEDGE_ALL: Final = 31

_STATES: Final = {state: number for number, state in enumerate(LineState)}
_GRADES: Final = {None: 0, "accept": 1, "downgrade": 2, "hold": 3}
_SEVERITIES: Final = {"minor": 1, "major": 2, "critical": 3}
_KINDS: Final = tuple(AlarmKind)
_COIL_LETTERS: Final = 32


class RegisterMap:
    """What a PLC reads at this moment, and what it may write; for any thread.

    Args:
        supervisor: State, coil and speed.
        news: Alarms, the newest defect and the last grade.
    """

    def __init__(self, supervisor: Supervisor, news: News) -> None:
        self._supervisor = supervisor
        self._news = news

    def registers(self) -> list[int]:
        """Return the registers from 0 on, 0–65535 each."""
        supervisor, coil = self._supervisor, self._supervisor.coil
        position_m = coil.progress.length_m if coil else 0.0
        told = [
            MAP_VERSION,
            supervisor.beats % 0x10000,
            _STATES[supervisor.state],
            int(coil is not None),
            *_wide(position_m * 1000),
            *_wide(supervisor.speed_m_s() * 1000),
            *_wide(coil.progress.defects if coil else 0),
            _GRADES[self._news.grade],
            *(_word(bits) for bits in self._alarm_bits()),
            *_latest(self._news.latest),
            *_letters(coil.plan.id if coil else ""),
        ]
        return told + [0] * (REGISTERS - len(told))

    def discrete_inputs(self) -> list[bool]:
        """Return the discrete inputs from 0 on."""
        bits = [False] * DISCRETE_INPUTS
        for first, shown in zip((0, ACTIVE, UNACKNOWLEDGED), self._alarm_bits(), strict=True):
            bits[first : first + len(shown)] = shown
        state = self._supervisor.state
        flags = [
            self._supervisor.coil is not None,
            state in AT_WORK,
            state is LineState.DEGRADED,
        ]
        bits[FLAGS : FLAGS + len(flags)] = flags
        return bits

    def coils(self) -> list[bool]:
        """Return the coils from 0 on: open alarms; those that acknowledge read as 0."""
        opened = self._alarm_bits()[0]
        return opened + [False] * (COILS - len(opened))

    def write_coils(self, first: int, values: Iterable[bool]) -> bool:
        """Acknowledge alarms where ones are written, and return whether all may be written.

        Args:
            first: Address of the first coil.
            values: What is written.
        """
        written = {first + offset: bool(value) for offset, value in enumerate(values)}
        lamps = {ACKNOWLEDGE + bit: kind for bit, kind in enumerate(_KINDS)}
        if not written.keys() <= {*lamps, ACKNOWLEDGE_ALL}:
            return False
        kinds = [kind for address, kind in lamps.items() if written.get(address)]
        if written.get(ACKNOWLEDGE_ALL):
            kinds = list(_KINDS)
        if kinds:
            self._news.alarms.acknowledge(kinds, by="plc")
        return True

    def _alarm_bits(self) -> tuple[list[bool], list[bool], list[bool]]:
        """Return which alarms are open, whose cause lasts, and which nobody has acknowledged."""
        opened = self._news.alarms.open
        return (
            [kind in opened for kind in _KINDS],
            [kind in opened and opened[kind].cleared_at is None for kind in _KINDS],
            [kind in opened and opened[kind].acknowledged_at is None for kind in _KINDS],
        )


def _latest(latest: LatestDefect | None) -> Iterator[int]:
    if latest is None:
        yield from [0] * 14
        return
    defect = latest.defect
    yield latest.count % 0x10000
    yield _fit(latest.class_id, 0xFFFF)
    yield _SEVERITIES.get(defect.severity, 0)
    yield int(defect.surface == "bottom")
    yield from _wide(defect.along_start_m * 1000)
    yield _fit(defect.across_left_mm, 0xFFFF)
    yield _fit(defect.across_right_mm, 0xFFFF)
    yield from _wide(defect.length_mm)
    yield from _wide(defect.area_mm2)
    yield from _wide(defect.number)


def _letters(text: str) -> Iterator[int]:
    raw = text.encode("ascii", "replace")[:_COIL_LETTERS].ljust(_COIL_LETTERS, b"\0")
    for first in range(0, _COIL_LETTERS, 2):
        yield int.from_bytes(raw[first : first + 2], "big")


def _fit(value: float, most: int) -> int:
    return min(max(round(value), 0), most)


def _wide(value: float) -> tuple[int, int]:
    whole = _fit(value, 0xFFFF_FFFF)
    return whole >> 16, whole & 0xFFFF


def _word(bits: Iterable[bool]) -> int:
    return sum(int(bit) << place for place, bit in enumerate(bits))
