"""Whether this machine's clock follows another one.

Coils, alarms and the mill's own records are brought together by their time.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stripscan.runtime.health.finding import Finding

_STA_UNSYNC: Final = 0x40  # linux/timex.h
_TIMESYNCD: Final = "run/systemd/timesync/synchronized"


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelClock:
    """What the kernel knows of its clock.

    Attributes:
        synchronised: Whether NTP or PTP disciplines it.
        max_error_ms: By how much it may be wrong, in ms.
    """

    synchronised: bool
    max_error_ms: float


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2) where ``long`` is the kernel's word."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),  # more than the kernel writes
    )


def read_clock() -> KernelClock | None:
    """Ask the kernel, which knows of any daemon, NTP or PTP; None where it may not be asked."""
    clock = _Timex()
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None or adjtimex(ctypes.byref(clock)) < 0:
        return None
    return KernelClock(
        synchronised=not clock.status & _STA_UNSYNC, max_error_ms=clock.maxerror / 1000
    )


def clock_finding(root: Path, clock: KernelClock | None) -> Finding:
    """Return whether the clock is synchronised.

    Args:
        root: Where ``run`` is; it is looked at where the kernel does not answer.
        clock: What the kernel says.
    """
    what = "clock"
    if clock is not None and clock.synchronised:
        detail = f"synchronised, wrong by {clock.max_error_ms:.1f} ms at most"
        return Finding(what=what, verdict="ok", detail=detail)
    if clock is None and (root / _TIMESYNCD).exists():
        return Finding(what=what, verdict="ok", detail="synchronised by systemd-timesyncd")
    return Finding(
        what=what,
        verdict="warn",
        detail="not synchronised: times of coils and alarms drift away from the mill's",
        remedy="sudo timedatectl set-ntp true, with the plant's server in "
        "/etc/systemd/timesyncd.conf; or chrony, or phc2sys for PTP",
    )
