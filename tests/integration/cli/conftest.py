"""One simulated strip on disk for all tests of the commands, made by the program itself."""

import shutil
from pathlib import Path

import pytest

from integration.cli.program import fine, run


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of frames of 512 x 200 px with their truth."""
    folder = tmp_path_factory.mktemp("strip")
    fine(
        run(
            *("simulate", "--out", "frames", "--length-m", "0.8", "--width-px", "512"),
            *("--defects-per-class", "1", "--block-lines", "200", "--seed", "7"),
            cwd=folder,
        )
    )
    return folder / "frames"


@pytest.fixture(scope="session")
def labelled(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the frames as a data set: images/ and masks/."""
    folder = tmp_path_factory.mktemp("data") / "made"
    shutil.copytree(frames / "truth", folder / "masks")
    (folder / "images").mkdir()
    for image in frames.glob("*.png"):
        shutil.copy(image, folder / "images")
    return folder


@pytest.fixture
def image(frames: Path) -> Path:
    """Return one frame."""
    return frames / "block_000002.png"
