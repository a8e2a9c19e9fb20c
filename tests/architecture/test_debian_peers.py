"""A test of a real peer is skipped without its package, and the last lines say what to install."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ABSENT = "stripscan-no-such-package"

PEER_TEST = f"""
import pytest

@pytest.mark.debian("{ABSENT}")
def test_peer():
    raise AssertionError("must not run")

@pytest.mark.debian("{ABSENT}")
def test_other_peer():
    raise AssertionError("must not run")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "debian-packages.txt").write_text(f"# peers\n{ABSENT}  # a broker\n")
    (tmp_path / "test_peer.py").write_text(PEER_TEST)
    return tmp_path


def run_tests(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=.", "."],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_packages_skip_and_are_named(project: Path) -> None:
    answer = run_tests(project)
    assert answer.returncode == 0, answer.stdout
    assert "2 tests skipped for missing Debian packages" in answer.stdout
    assert f"to run them: sudo apt-get install {ABSENT}\n" in answer.stdout


def test_a_package_that_make_would_not_install_fails(project: Path) -> None:
    (project / "debian-packages.txt").write_text("# none\n")
    answer = run_tests(project)
    assert answer.returncode == 1
    assert f"{ABSENT} is not in debian-packages.txt" in answer.stdout


def test_installing_asks_for_what_is_missing_and_never_breaks_the_run(
    project: Path, tmp_path: Path
) -> None:
    shutil.copy(TESTS / "install_peers.sh", project)
    programs = tmp_path / "bin"
    programs.mkdir()
    log = tmp_path / "log"
    for name, body in {
        "dpkg-query": "exit 1",
        "apt-get": f'echo "apt-get $*" >> "{log}"; [ "$1" = update ]',
        "sudo": 'shift; exec "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    answer = subprocess.run(
        [project / "install_peers.sh"],
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0
    assert answer.stderr == f"could not install: {ABSENT}\n"
    asked = log.read_text().splitlines()
    assert asked[0].startswith("apt-get update")
    assert asked[1].endswith(f" {ABSENT}")


def test_pygobject_is_built_where_its_libraries_are(project: Path, tmp_path: Path) -> None:
    shutil.copy(TESTS / "install_peers.sh", project)
    programs, log = tmp_path / "bin", tmp_path / "log"
    programs.mkdir()
    python = f'echo "$*" >> "{log}"; [ "$1" != -c ]'  # it lacks gi
    for name, body in {"python": python, "dpkg-query": "printf installed"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    subprocess.run(
        [project / "install_peers.sh", programs / "python"],
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        check=True,
    )
    assert "[camera]" in log.read_text()
    log.unlink()
    (programs / "dpkg-query").write_text("#!/bin/sh\nexit 1\n")
    (programs / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    (programs / "apt-get").chmod(0o755)
    subprocess.run(
        [project / "install_peers.sh", programs / "python"],
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        check=True,
    )
    assert log.read_text() == "-c import gi\n"
