"""NVIDIA GPUs as nvidia-smi shows them."""

import csv
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

from stripscan.runtime.health.finding import Finding

_FIELDS: Final = (
    "index",
    "name",
    "driver_version",
    "persistence_mode",
    "clocks.sm",
    "clocks.max.sm",
    "temperature.gpu",
)
_REASONS: Final = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
"""The mask of what holds the clock down, by its name since driver 535 and before."""

_SLOWED_BY: Final = {
    0x04: "its power limit",
    0x08: "the hardware, for heat or power",
    0x20: "heat",
    0x40: "heat, in hardware",
    0x80: "the power supply",
}
"""``nvmlClocksEventReason…`` of nvml.h; idle and clocks that were set are no complaint."""

_TIMEOUT_S: Final = 20


def gpu_findings() -> Iterator[Finding]:
    """Yield what is known of the GPUs; nothing where there is no nvidia-smi."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return
    said = "it does not answer"
    for reasons in _REASONS:
        query = ",".join((*_FIELDS, reasons))
        try:
            done = subprocess.run(  # noqa: S603 - found on the path, with constant arguments
                [program, f"--query-gpu={query}", "--format=csv,noheader,nounits"],
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            break
        if done.returncode == 0:
            yield from findings_of(done.stdout)
            return
        said = (done.stdout or done.stderr).strip().partition("\n")[0] or said
    yield Finding(
        what="gpu",
        verdict="warn",
        detail=f"nvidia-smi: {said}",
        remedy="where the model is to run on the GPU: install the driver of this kernel again, "
        "and restart",
    )


def findings_of(text: str) -> Iterator[Finding]:
    """Yield what an answer of nvidia-smi says: CSV, one GPU a line, ``[N/A]`` for no value."""
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) == len(_FIELDS) + 1:
            yield _finding(dict(zip(_FIELDS, row, strict=False)), reasons=row[-1])


def _finding(gpu: dict[str, str], *, reasons: str) -> Finding:
    index, persistence = gpu["index"], gpu["persistence_mode"]
    slowed = [why for bit, why in _SLOWED_BY.items() if _mask(reasons) & bit]
    remedies = []
    if persistence == "Disabled":
        remedies.append(
            f"persistence: sudo nvidia-smi -i {index} -pm 1; "
            "to keep it: sudo systemctl enable --now nvidia-persistenced"
        )
    if slowed:
        remedies.append(
            "clock: see to cooling and power supply; a lower clock that holds: "
            f"sudo nvidia-smi -i {index} -lgc MHZ"
        )
    facts = [gpu["name"], f"driver {gpu['driver_version']}"]
    if persistence in {"Enabled", "Disabled"}:
        facts.append(f"persistence {persistence.lower()}")
    if gpu["clocks.sm"].isdecimal() and gpu["clocks.max.sm"].isdecimal():
        facts.append(f"{gpu['clocks.sm']} of {gpu['clocks.max.sm']} MHz")
    if gpu["temperature.gpu"].isdecimal():
        facts.append(f"{gpu['temperature.gpu']} °C")
    if slowed:
        facts.append(f"slowed down by {' and '.join(slowed)}")
    return Finding(
        what=f"gpu {index}",
        verdict="warn" if remedies else "ok",
        detail=", ".join(facts),
        remedy="; ".join(remedies),
    )


def _mask(reasons: str) -> int:
    try:
        return int(reasons, 16)
    except ValueError:  # [N/A], [Not Supported]
        return 0
