"""``data prepare`` as users run it, and what comes after it."""

import json
from pathlib import Path

import cv2
import numpy as np

from integration.cli.program import fine, listing, refused, run

HEADER = "ImageId,ClassId,EncodedPixels\n"


def severstal(folder: Path, rows: str, images: int = 6) -> Path:
    """Write images of noise, of which no two show the same metal."""
    rng = np.random.default_rng(7)
    (folder / "train_images").mkdir(parents=True)
    for number in range(images):
        picture = rng.integers(0, 256, (256, 1600), np.uint8)
        cv2.imwrite(str(folder / f"train_images/{number}.png"), picture)
    (folder / "train.csv").write_text(HEADER + rows, encoding="utf-8")
    return folder


def test_prepared_data_can_be_split(tmp_path: Path) -> None:
    severstal(tmp_path / "steel", "0.png,3,1 512\n1.png,1,77 9\n")
    done = run(
        *("data", "prepare", "steel", "--out", "ready/steel"),
        *("--map", "3=scratches", "--mm-per-px", "0.5"),
        cwd=tmp_path,
    )
    table = fine(done).splitlines()
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table if "│" in line]
    assert ["scratches", "1", "512", "0"] in cells
    assert ["clean", "4", "", ""] in cells
    assert ["with unlabelled parts", "1", "", ""] in cells
    assert "warning: not mapped, so their pixels are unlabelled: 1, 2, 4;" in done.stderr
    assert "Severstal's classes 1 to 4 have no official names" in done.stderr
    record = json.loads((tmp_path / "ready/steel/dataset.json").read_text())
    assert table[-1] == f"ready/steel: {record['digest']}"
    assert record["mm_per_px"] == 0.5

    fine(run("data", "split", "ready", "--test", "0.3", "--val", "0.2", cwd=tmp_path))
    split = json.loads((tmp_path / "split.json").read_text())
    drawn = [*split["train"], *split["val"], *split["test"]]
    assert sorted(drawn) == [f"steel/{number}" for number in range(6)]
    assert split["train"]
    assert split["test"]


def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    severstal(tmp_path / "steel", "0.png,3,1 512\n1.png,3,9 9 9 9\n", images=2)
    before = listing(tmp_path)
    for args, said in (
        ((), "steel/train.csv, line 3: run 2 (9 9) overlaps the run before it"),
        (("--map", "3=scratch"), "did you mean 'scratches'?"),
        (("--map", "5=scratches"), "the data set has no class '5'"),
        (("--format", "severstall"), "did you mean 'severstal'?"),
        (("--format", "coco"), "there is no JSON file"),
    ):
        done = run("data", "prepare", "steel", "--out", "ready", *args, cwd=tmp_path)
        assert said in refused(done, 2)
        assert listing(tmp_path) == before


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    severstal(tmp_path / "steel", "", images=1)
    before = listing(tmp_path)
    done = run("data", "prepare", "steel", "--out", "ready", cwd=tmp_path, file_limit=100_000)
    assert "cannot be written: File too large" in refused(done, 3)
    assert listing(tmp_path) == before
