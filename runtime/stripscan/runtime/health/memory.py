"""Memory that is left, and whether some of it lies on a disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stripscan.runtime.health.finding import Finding
from stripscan.runtime.health.kernel_files import read

_LEAST_MB: Final = 1000


def memory_findings(root: Path) -> Iterator[Finding]:
    """Yield what is known of memory and swap.

    Args:
        root: Where ``proc`` is.
    """
    kib = _meminfo(root)
    if "MemAvailable" not in kib:
        return
    free_mb, total_mb = kib["MemAvailable"] * 1.024e-3, kib.get("MemTotal", 0) * 1.024e-3
    few = free_mb < _LEAST_MB
    yield Finding(
        what="memory",
        verdict="warn" if few else "ok",
        detail=f"{free_mb / 1e3:.1f} of {total_mb / 1e3:.1f} GB available",
        remedy=f"below {_LEAST_MB / 1e3:g} GB the kernel may end the inspection: end other programs"
        if few
        else "",
    )
    swapped_mb = (kib.get("SwapTotal", 0) - kib.get("SwapFree", 0)) * 1.024e-3
    if swapped_mb >= 1:
        yield Finding(
            what="swap",
            verdict="warn",
            detail=f"{swapped_mb:,.0f} MB are on the disk: lines wait until they are read back",
            remedy="end other programs, then: sudo swapoff -a; to keep it: "
            "take swap out of /etc/fstab",
        )


def _meminfo(root: Path) -> dict[str, int]:
    """Return /proc/meminfo, in KiB."""
    rows = (line.partition(":") for line in (read(root, "proc/meminfo") or "").splitlines())
    words = {name: value.split() for name, _, value in rows}
    return {name: int(word[0]) for name, word in words.items() if word and word[0].isdecimal()}
