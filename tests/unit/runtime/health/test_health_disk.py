from pathlib import Path

import pytest

from stripscan.contract.errors import StoreError
from stripscan.runtime.health.disk import (
    CommitTimes,
    commit_finding,
    filesystem_finding,
    measure_commits,
)
from unit.runtime.health.made_machine import machine, verdicts

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:22 / /srv rw shared:2 - nfs4 server:/srv rw
24 23 8:17 / /srv/fast\\040disk rw - xfs /dev/nvme0n1p1 rw
25 22 0:30 / /run/ram rw - tmpfs tmpfs rw"""


@pytest.mark.parametrize(
    ("folder", "verdict", "kind"),
    [
        ("/var/lib/stripscan", "ok", "ext4"),
        ("/srv/coils", "fail", "nfs4"),
        ("/srv/fast disk/coils", "ok", "xfs"),
        ("/srvother", "ok", "ext4"),
        ("/run/ram/coils", "warn", "tmpfs"),
    ],
)
def test_the_nearest_mount_tells_where_a_store_lies(
    tmp_path: Path, folder: str, verdict: str, kind: str
) -> None:
    root = machine(tmp_path, {"proc/self/mountinfo": MOUNTS})
    finding = filesystem_finding(root, Path(folder))
    assert verdicts([finding]) == {"file system": verdict}
    assert finding.detail.partition(":")[0] == kind


def test_commits_are_measured_and_leave_nothing(tmp_path: Path) -> None:
    times = measure_commits(tmp_path, count=5)
    assert 0 < times.p50_ms <= times.p99_ms
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="none cannot be written to"):
        measure_commits(tmp_path / "none")


@pytest.mark.parametrize(
    ("p50_ms", "p99_ms", "band_ms", "verdict"),
    [
        (0.2, 3.0, 5.6, "ok"),
        (0.2, 6.0, 5.6, "warn"),  # now and then a band waits
        (6.0, 9.0, 5.6, "fail"),  # the store alone is slower than the line
        (6.0, 9.0, None, "ok"),
        (6.0, 25.0, None, "warn"),
        (25.0, 30.0, None, "warn"),
    ],
)
def test_commits_are_held_against_the_time_of_a_band(
    p50_ms: float, p99_ms: float, band_ms: float | None, verdict: str
) -> None:
    times = CommitTimes(p50_ms=p50_ms, p99_ms=p99_ms)
    assert verdicts([commit_finding(times, band_ms)]) == {"commits": verdict}
