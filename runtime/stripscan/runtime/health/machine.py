"""What the doctor says of the machine, whatever it is to inspect."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import cv2

from stripscan.runtime.health.clock import clock_finding, read_clock
from stripscan.runtime.health.cpu import cpu_findings
from stripscan.runtime.health.disk import space_finding
from stripscan.runtime.health.finding import Finding
from stripscan.runtime.health.gpu import gpu_findings
from stripscan.runtime.health.memory import memory_findings
from stripscan.runtime.health.network import network_findings

ROOT = Path("/")
"""Where the kernel's files are."""


def machine_findings() -> Iterator[Finding]:
    """Yield what is known of this machine."""
    cores = os.cpu_count() or 1
    yield Finding(
        what="machine",
        verdict="ok",
        detail=f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, "
        f"OpenCV {cv2.__version__}",
    )
    yield from cpu_findings(ROOT, cores=cores, allowed=len(os.sched_getaffinity(0)))
    yield from memory_findings(ROOT)
    yield space_finding("disk", Path.cwd())
    yield from network_findings(ROOT)
    yield clock_finding(ROOT, read_clock())
    yield from gpu_findings()
