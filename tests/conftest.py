"""What all tests share: slow machines are fine, data sets and Debian packages are optional."""

import logging
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

PACKAGES_FILE = Path(__file__).with_name("debian-packages.txt")
MISSING = pytest.StashKey[dict[str, str]]()

settings.register_profile("stripscan", deadline=None, print_blob=True)
settings.load_profile("stripscan")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "debian(package): needs a package of debian-packages.txt")
    config.stash[MISSING] = {}
    # A shell lets what it starts in the background ignore Ctrl-C, and so would the programs that
    # the tests start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def loggers_restored() -> Iterator[None]:
    """Take back what a command of this process has set up for its log lines."""
    root, ours = logging.getLogger(), logging.getLogger("stripscan")
    handlers, level = list(root.handlers), ours.level
    yield
    root.handlers[:] = handlers
    ours.setLevel(level)
    logging.captureWarnings(False)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("realdata") and not os.environ.get("STRIPSCAN_DATA"):
        pytest.skip("STRIPSCAN_DATA names no folder with neu-det, neu-seg and sd-saliency-900")
    for marker in item.iter_markers("debian"):
        (package,) = marker.args
        if package not in listed_packages():
            pytest.fail(f"{package} is not in {PACKAGES_FILE.name}: add it")
        if not installed(package):
            item.config.stash[MISSING][item.nodeid] = package
            pytest.skip(f"the Debian package {package} is not installed")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say it after everything that pytest says, so that it is not overlooked."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.collectonly:
        return
    missing = config.stash[MISSING]
    reporter.write_line(f"{len(missing)} tests skipped for missing Debian packages")
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        reporter.write_line(f"to run them: sudo apt-get install {packages}")


def listed_packages() -> list[str]:
    lines = PACKAGES_FILE.read_text(encoding="utf-8").splitlines()
    return [name for line in lines if (name := re.sub(r"#.*", "", line).strip())]


def installed(package: str) -> bool:
    try:
        answer = subprocess.run(
            ["dpkg-query", "-W", "-f=${db:Status-Status}", package],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:  # not Debian
        return False
    return answer.stdout == "installed"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the data sets; for tests with the marker ``realdata``."""
    return Path(os.environ["STRIPSCAN_DATA"])
