"""Cores that this process may use, and their clock."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stripscan.runtime.health.finding import Finding
from stripscan.runtime.health.kernel_files import read, read_int

_CPU: Final = "sys/devices/system/cpu"
_CGROUP: Final = "sys/fs/cgroup"
_BUSY: Final = 0.5
_SET_GOVERNOR: Final = (
    "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; "
    "to keep it: cpufreq.default_governor=performance on the kernel's command line"
)


def cpu_findings(root: Path, *, cores: int, allowed: int) -> Iterator[Finding]:
    """Yield what is known of the processor.

    Args:
        root: Where ``proc`` and ``sys`` are.
        cores: Cores of the machine.
        allowed: Cores that the process may run on.
    """
    yield _cores(cores, allowed, quota_cores(root))
    yield from _load(root, cores)
    yield _clock(root)


def _cores(cores: int, allowed: int, quota: float | None) -> Finding:
    detail = f"{allowed} of {cores} may be used"
    remedy = ""
    if quota is not None and quota < allowed:
        detail += f", for {quota:g} cores' time: the control group stops what takes more"
        remedy = (
            f"set threads = {max(int(quota) - 1, 1)} in [inference], or raise the limit: "
            "CPUQuota= of the systemd unit, --cpus of the container"
        )
    elif allowed < 2:
        remedy = "acquisition waits for the model: give this process a second core"
    return Finding(what="cores", verdict="warn" if remedy else "ok", detail=detail, remedy=remedy)


def _load(root: Path, cores: int) -> Iterator[Finding]:
    load = float((read(root, "proc/loadavg") or "0").split()[0])
    if load > _BUSY * cores:
        yield Finding(
            what="load",
            verdict="warn",
            detail=f"{load:.1f} programs want {cores} cores: what is measured here is slower "
            "than it need be",
            remedy="end other programs and look again; 'top' names them",
        )


def quota_cores(root: Path) -> float | None:
    """Return the cores' time that control groups allow this process; None for no limit.

    Reads ``cpu.max`` of version 2 and ``cpu.cfs_quota_us`` of version 1, of the process's own
    group and of all around it; see the kernel's Documentation/admin-guide/cgroup-v2.rst.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    limits = []
    for line in (read(root, "proc/self/cgroup") or "").splitlines():
        number, controllers, group = [*line.split(":", 2), "", ""][:3]
        if number == "0":
            limits += [_quota(read(root, f"{at}/cpu.max")) for at in _around(_CGROUP, group)]
        elif "cpu" in controllers.split(","):
            for mount in (f"{_CGROUP}/cpu", f"{_CGROUP}/{controllers}"):
                limits += [_quota(_version_1(root, at)) for at in _around(mount, group)]
    return min((limit for limit in limits if limit is not None), default=None)


def _around(mount: str, group: str) -> Iterator[str]:
    """Yield the folders of a group and of all groups around it."""
    at = Path(mount) / group.strip("/")
    while at != Path(mount):
        yield str(at)
        at = at.parent
    yield mount


def _version_1(root: Path, folder: str) -> str:
    quota = read_int(root, f"{folder}/cpu.cfs_quota_us")
    period = read_int(root, f"{folder}/cpu.cfs_period_us")
    return f"{quota} {period}" if quota is not None and quota > 0 and period else "max"


def _quota(given: str | None) -> float | None:
    quota, _, period = (given or "max").partition(" ")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None


def _clock(root: Path) -> Finding:
    what, policies = "cpu clock", sorted((root / _CPU).glob("cpu[0-9]*/cpufreq"))
    if not policies:
        return Finding(what=what, verdict="ok", detail="set by the firmware or the hypervisor")
    governors = sorted({read(policy, "scaling_governor") or "none" for policy in policies})
    detail = f"governor {', '.join(governors)}"
    now_ghz = [(read_int(policy, "scaling_cur_freq") or 0) / 1e6 for policy in policies]
    top_ghz = max((read_int(policy, "cpuinfo_max_freq") or 0) / 1e6 for policy in policies)
    if top_ghz:
        detail += f", {min(now_ghz):.1f} to {max(now_ghz):.1f} GHz of {top_ghz:.1f}"
    slow = governors != ["performance"]
    return Finding(
        what=what,
        verdict="warn" if slow else "ok",
        detail=detail,
        remedy=_SET_GOVERNOR if slow else "",
    )
