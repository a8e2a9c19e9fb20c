from pathlib import Path

import pytest

from stripscan.runtime.health.cpu import cpu_findings, quota_cores
from unit.runtime.health.made_machine import machine, verdicts


def clocked(governor: str, *, mhz: int = 3400) -> dict[str, object]:
    """Return the files of two cores with a governor."""
    return {
        f"sys/devices/system/cpu/cpu{core}/cpufreq/{key}": value
        for core in range(2)
        for key, value in {
            "scaling_governor": governor,
            "scaling_cur_freq": mhz * 1000,
            "cpuinfo_max_freq": 3_600_000,
        }.items()
    }


def test_a_governor_that_saves_power_is_warned_of(tmp_path: Path) -> None:
    root = machine(tmp_path, clocked("powersave", mhz=800))
    _, clock = cpu_findings(root, cores=2, allowed=2)
    assert (clock.verdict, clock.detail) == ("warn", "governor powersave, 0.8 to 0.8 GHz of 3.6")
    assert "echo performance | sudo tee" in clock.remedy
    machine(root, clocked("performance"))
    assert verdicts(cpu_findings(root, cores=2, allowed=2)) == {"cores": "ok", "cpu clock": "ok"}


def test_a_machine_without_a_governor_is_fine(tmp_path: Path) -> None:
    assert verdicts(cpu_findings(tmp_path, cores=4, allowed=4))["cpu clock"] == "ok"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/self/cgroup": "0::/"}, None),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None),
        (
            {
                "proc/self/cgroup": "0::/plant.slice/stripscan.service",
                "sys/fs/cgroup/plant.slice/cpu.max": "150000 100000",  # the tighter, further out
                "sys/fs/cgroup/plant.slice/stripscan.service/cpu.max": "400000 100000",
            },
            1.5,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/a\n3:cpu,cpuacct:/a/b\n0::/",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": 250_000,
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": 100_000,
                "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us": -1,
                "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us": 100_000,
            },
            2.5,
        ),
    ],
)
def test_the_tightest_control_group_counts(
    tmp_path: Path, files: dict[str, object], cores: float | None
) -> None:
    assert quota_cores(machine(tmp_path, files)) == cores


def test_threads_fit_into_what_a_control_group_allows(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "350000 100000"}
    cores, _ = cpu_findings(machine(tmp_path, files), cores=8, allowed=8)
    assert (cores.verdict, cores.detail.partition(":")[0]) == (
        "warn",
        "8 of 8 may be used, for 3.5 cores' time",
    )
    assert "threads = 2" in cores.remedy


def test_one_core_is_too_few(tmp_path: Path) -> None:
    assert verdicts(cpu_findings(tmp_path, cores=8, allowed=1))["cores"] == "warn"


def test_a_busy_machine_is_told_as_its_measurements_mean_little(tmp_path: Path) -> None:
    machine(tmp_path, {"proc/loadavg": "2.01 0.30 0.10 3/401 12345"})
    assert verdicts(cpu_findings(tmp_path, cores=4, allowed=4))["load"] == "warn"
    machine(tmp_path, {"proc/loadavg": "2.00 9.30 9.10 3/401 12345"})
    assert "load" not in verdicts(cpu_findings(tmp_path, cores=4, allowed=4))
