"""data split: its protocols, and what it tells of public splits."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from integration.cli.program import fine, listing, refused, run
from stripscan.dataset.split import SplitProtocol, read_split

VOC = """\
<annotation><object><name>{name}</name>
<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>60</xmax><ymax>80</ymax></bndbox></object></annotation>
"""


def metal(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    blots = cv2.GaussianBlur(rng.normal(0, 900, (200, 200)).astype(np.float32), (0, 0), 9)
    return np.clip(120 + blots + rng.normal(0, 5, (200, 200)), 0, 255).astype(np.uint8)


def write(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def detection(tmp_path: Path) -> Path:
    """Return a folder as of NEU-DET: 30 images of three classes."""
    folder = tmp_path / "det"
    (folder / "ANNOTATIONS").mkdir(parents=True)
    for seed in range(30):
        kind = ("crazing", "patches", "scratches")[seed // 10]
        name = f"{kind}_{seed % 10}"
        write(folder / "IMAGES" / f"{name}.png", metal(seed))
        (folder / "ANNOTATIONS" / f"{name}.xml").write_text(VOC.format(name=kind))
    return folder


@pytest.fixture
def segmentation(tmp_path: Path) -> Path:
    """Return a folder as of NEU-Seg: one of its two test images is a training image, turned."""
    folder = tmp_path / "seg"
    pictures = {"training": [metal(1), metal(2)], "test": [np.rot90(metal(2)), metal(3)]}
    for part, images in pictures.items():
        for i, image in enumerate(images):
            write(folder / "images" / part / f"{part}{i}.png", image)
            mask = np.zeros((200, 200), np.uint8)
            mask[50:100, 50:100] = 1 + i
            write(folder / "annotations" / part / f"{part}{i}.png", mask)
    return folder


def test_the_original_protocol_is_written_into_the_file_and_warned_of(
    detection: Path, tmp_path: Path
) -> None:
    ask = ("data", "split", detection, "--protocol", "neu-original", "--public")
    done = run(*ask, cwd=tmp_path)

    split = read_split(tmp_path / "split.json")
    assert split.digest in fine(done)
    assert split.protocol is SplitProtocol.NEU_ORIGINAL
    assert json.loads((tmp_path / "split.json").read_text())["protocol"] == "neu-original"
    assert [len(split.train), len(split.val), len(split.test)] == [11, 15, 4]
    assert "warning: drawn by image, not by source" in done.stderr
    assert re.search(r"all images\D+11\D+15\D+4\b", done.stdout)
    assert "none brings one" in done.stdout


def test_shares_do_not_go_with_the_original_protocol(detection: Path, tmp_path: Path) -> None:
    before = listing(tmp_path)
    ask = ("data", "split", detection, "--protocol", "neu-original", "--test", "0.2")

    assert "leave out --test and --val" in refused(run(*ask, cwd=tmp_path), 2)
    assert listing(tmp_path) == before


def test_an_unknown_protocol_is_refused(detection: Path, tmp_path: Path) -> None:
    done = run("data", "split", detection, "--protocol", "random", cwd=tmp_path)

    assert done.returncode == 2
    assert "neu-original" in done.stderr


def test_classes_of_each_side_and_the_leak_of_a_public_split_are_told(
    segmentation: Path, tmp_path: Path
) -> None:
    ask = ("data", "split", segmentation, "--test", "0", "--val", "0", "--public")
    said = fine(run(*ask, cwd=tmp_path))

    assert re.search(r"inclusion\D+2\D+0\D+0\b", said)
    assert re.search(r"patches\D+2\D+0\D+0\b", said)
    assert re.search(r"crazing\D+0\D+0\D+0\b", said)
    assert re.search(r"neu-seg\D+2\D+2\D+1 \(50\.0 %\)\D+1 \(50\.0 %\)", said)
