from pathlib import Path

from stripscan.runtime.health.clock import KernelClock, clock_finding, read_clock
from stripscan.runtime.health.memory import memory_findings
from unit.runtime.health.made_machine import machine, verdicts

MEMINFO = """MemTotal:       16000000 kB
MemFree:          123456 kB
MemAvailable:   {free} kB
SwapTotal:       2000000 kB
SwapFree:        {swap} kB"""


def meminfo(root: Path, *, free: int, swap: int) -> Path:
    return machine(root, {"proc/meminfo": MEMINFO.format(free=free, swap=swap)})


def test_memory_counts_in_bytes_of_a_thousand(tmp_path: Path) -> None:
    (fine,) = memory_findings(meminfo(tmp_path, free=8_000_000, swap=2_000_000))
    assert (fine.verdict, fine.detail) == ("ok", "8.2 of 16.4 GB available")


def test_little_memory_and_used_swap_are_warned_of(tmp_path: Path) -> None:
    root = meminfo(tmp_path, free=900_000, swap=1_500_000)
    assert verdicts(memory_findings(root)) == {"memory": "warn", "swap": "warn"}
    assert "512 MB are on the disk" in [f.detail for f in memory_findings(root)][1]


def test_a_clock_that_follows_another_is_fine(tmp_path: Path) -> None:
    finding = clock_finding(tmp_path, KernelClock(synchronised=True, max_error_ms=12.34))
    assert (finding.verdict, finding.detail) == ("ok", "synchronised, wrong by 12.3 ms at most")


def test_the_kernel_is_believed_before_the_file_of_a_daemon(tmp_path: Path) -> None:
    machine(tmp_path, {"run/systemd/timesync/synchronized": ""})
    free = KernelClock(synchronised=False, max_error_ms=16_000)
    assert verdicts([clock_finding(tmp_path, free)]) == {"clock": "warn"}
    assert verdicts([clock_finding(tmp_path, None)]) == {"clock": "ok"}
    assert verdicts([clock_finding(tmp_path / "none", None)]) == {"clock": "warn"}


def test_this_kernel_answers_with_an_error_that_it_can_have() -> None:
    clock = read_clock()  # None where a sandbox refuses the call
    assert clock is None or 0 <= clock.max_error_ms < 1e6
