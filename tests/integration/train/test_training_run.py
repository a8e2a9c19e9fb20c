"""Whole training runs, of a tiny network on a tiny data set."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("albumentations")

from integration.train.train_scores import validation_dice
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import Sample
from stripscan.dataset.split import Split, group_sources, leaked, read_split
from stripscan.train.checkpoint import Checkpoint, load_checkpoint
from stripscan.train.config import TrainConfig
from stripscan.train.trainer import train
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train

PROGRAM = (sys.executable, "-m", "stripscan.cli.main", "train")

RUN_FILES = {
    "checkpoint.safetensors",
    "config.json",
    "curves.png",
    "metrics.csv",
    "run.json",
    "split.json",
}


@pytest.fixture(scope="module")
def run(
    data: Path, split: Split, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Checkpoint]:
    out: Path = tmp_path_factory.mktemp("runs") / "new" / "run"
    return out, train(tiny_config(), data=data, out=out, split=split, progress=False)


def rows(run: Path, column: str) -> list[float]:
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row[column]) for row in csv.DictReader(file) if row[column]]


def test_a_run_leaves_what_is_needed_to_repeat_it(
    run: tuple[Path, Checkpoint], split: Split
) -> None:
    out, checkpoint = run
    assert {path.name for path in out.iterdir()} == RUN_FILES
    assert TrainConfig.model_validate_json((out / "config.json").read_bytes()) == tiny_config()
    assert read_split(out / "split.json") == split
    assert len(rows(out, "train_loss")) == len(rows(out, "val_dice")) == 2
    loaded = load_checkpoint(out / "checkpoint.safetensors")
    assert loaded.config == checkpoint.config == tiny_config()
    assert loaded.thresholds == checkpoint.thresholds
    assert set(loaded.thresholds) == {c.name for c in NEU_CLASSES}
    assert loaded.facts["split_digest"] == split.digest
    assert loaded.facts["train_pictures"] == len(split.train)
    assert loaded.facts["val_pictures"] == len(split.val)


def test_the_checkpoint_is_the_best_epoch_and_scores_what_it_says(
    run: tuple[Path, Checkpoint], data: Path, split: Split
) -> None:
    out, checkpoint = run
    scores = rows(out, "val_dice")
    assert checkpoint.facts["val_dice"] == pytest.approx(max(scores), abs=1e-6)
    assert checkpoint.facts["epoch"] == 1 + int(np.argmax(scores))
    dice = validation_dice(checkpoint, data, split)
    assert checkpoint.facts["val_dice"] == pytest.approx(dice, abs=1e-4)


def test_the_same_configuration_gives_the_same_weights(
    run: tuple[Path, Checkpoint], data: Path, split: Split, tmp_path: Path
) -> None:
    again = train(tiny_config(), data=data, out=tmp_path / "run", split=split, progress=False)
    assert again.thresholds == run[1].thresholds
    for name, tensor in run[1].state.items():
        assert torch.allclose(tensor, again.state[name], atol=1e-5), name


def test_a_network_can_learn_its_training_images(data: Path, split: Split, tmp_path: Path) -> None:
    few = replace(split, train=split.train[:4])
    config = tiny_config(
        epochs=25,
        data={"batch": 2, "simulated": 0.0, "workers": 0},
        optimiser={"peak_lr": 3e-2, "ema_decay": 0.5},
    )
    train(config, data=data, out=tmp_path / "run", split=few, progress=False)
    losses = rows(tmp_path / "run", "train_loss")
    assert np.mean(losses[-3:]) < 0.7 * losses[0]


def test_the_best_label_of_each_picture_is_learned(tmp_path: Path) -> None:
    """NEU-DET has boxes of the pictures, NEU-Seg masks of the same pictures, all turned."""
    data = tmp_path / "data"
    for index, part in enumerate(["training", "training", "test"]):
        _write_as_neu(data, draw_neu_tile(index), index, part)
    samples = find_samples(data)
    assert len(samples) == 9
    split = Split(
        train=_names(samples, "0") + _names(samples, "1"), val=_names(samples, "2"), test=()
    )
    config = tiny_config(epochs=1, data={"simulated": 0.0, "workers": 0})
    checkpoint = train(config, data=data, out=tmp_path / "run", split=split, progress=False)
    assert checkpoint.facts["train_pictures"] == 2
    assert checkpoint.facts["val_pictures"] == 1


def draw_neu_tile(index: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng((9, index))
    image = cv2.GaussianBlur(rng.integers(0, 255, (200, 200), np.uint8), (0, 0), 1.5)
    mask = np.zeros((200, 200), np.uint8)
    mask[40:80, 100:180] = 2
    image[mask > 0] //= 2
    return image, mask


def _write_as_neu(data: Path, tile: tuple[np.ndarray, np.ndarray], index: int, part: str) -> None:
    image, mask = tile
    folders = [
        data / "neu-det" / "IMAGES",
        data / "neu-det" / "ANNOTATIONS",
        data / "neu-seg" / "images" / part,
        data / "neu-seg" / "annotations" / part,
    ]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folders[0] / f"patches_{index}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    folders[1].joinpath(f"patches_{index}.xml").write_text(
        f"<annotation><filename>patches_{index}.jpg</filename>"
        "<size><width>200</width><height>200</height><depth>1</depth></size>"
        "<object><name>patches</name><bndbox><xmin>100</xmin><ymin>40</ymin>"
        "<xmax>180</xmax><ymax>80</ymax></bndbox></object></annotation>"
    )
    for quarter in (1, 2):
        name = f"{quarter}{index}.png"
        cv2.imwrite(str(folders[2] / name), np.rot90(image, quarter))
        cv2.imwrite(str(folders[3] / name), np.rot90(mask, quarter))


def _names(samples: list[Sample], ending: str) -> tuple[str, ...]:
    return tuple(sample.name for sample in samples if sample.name.endswith(ending))


def test_a_folder_in_use_is_refused(data: Path, split: Split, tmp_path: Path) -> None:
    tmp_path.joinpath("notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"is not empty: name a new folder"):
        train(tiny_config(), data=data, out=tmp_path, split=split, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.fixture
def spoilt(data: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the data in which training pictures and labels can be spoilt."""
    folder = tmp_path / data.name
    for source in data.rglob("*.png"):
        target = folder / source.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    return folder


def refused(data: Path, split: Split, tmp_path: Path, message: str) -> None:
    """Check that training is refused, and leaves nothing that is in the way next time."""
    out = tmp_path / "out"
    with pytest.raises(DataError, match=message):
        train(tiny_config(), data=data, out=out, split=split, progress=False)
    assert not out.exists()


def test_a_split_that_leaks_is_refused(spoilt: Path, split: Split, tmp_path: Path) -> None:
    kept = spoilt / "images" / Path(split.train[0]).with_suffix(".png").name
    turned = np.rot90(cv2.imread(str(kept), cv2.IMREAD_GRAYSCALE))
    cv2.imwrite(str(spoilt / "images" / "turned.png"), turned)
    cv2.imwrite(str(spoilt / "masks" / "turned.png"), np.zeros_like(turned))
    leaking = replace(split, val=(*split.val, f"{spoilt.name}/turned"))
    refused(spoilt, leaking, tmp_path, r"the split leaks: .*turned.*")


@pytest.mark.parametrize("part", ["train", "val"])
def test_an_empty_part_is_refused(data: Path, split: Split, tmp_path: Path, part: str) -> None:
    refused(data, replace(split, **{part: ()}), tmp_path, f"the {part} part of the split is empty")


def test_images_that_changed_since_the_split_are_refused(
    spoilt: Path, split: Split, tmp_path: Path
) -> None:
    changed = spoilt / "images" / Path(split.train[0]).with_suffix(".png").name
    cv2.imwrite(str(changed), np.zeros((96, 96), np.uint8))
    refused(spoilt, split, tmp_path, "the pixels differ")


def test_a_damaged_label_is_refused(spoilt: Path, split: Split, tmp_path: Path) -> None:
    label = spoilt / "masks" / Path(split.train[-1]).with_suffix(".png").name
    label.write_bytes(label.read_bytes()[:60])
    refused(spoilt, split, tmp_path, f"{label.name}.*ends early")


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_the_finished_epochs(
    run: tuple[Path, Checkpoint], data: Path, tmp_path: Path, told: signal.Signals
) -> None:
    # No worker: Python drops a Ctrl-C that comes while it forks one, and these epochs are short.
    config = tiny_config(epochs=10_000, data={"batch": 4, "simulated": 0.5, "workers": 0})
    config_file = tmp_path / "config.json"
    config_file.write_text(config.model_dump_json())
    out = tmp_path / "run"
    process = subprocess.Popen(
        [
            *PROGRAM,
            "--config",
            config_file,
            "--data",
            data,
            "--split",
            run[0] / "split.json",
            "--out",
            out,
        ],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _wait_for(out / "last.ckpt", process)
        os.killpg(process.pid, told)
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 4
    assert "interrupted: what was finished is saved" in stderr
    assert f"go on later with: stripscan train --resume {out}" in stderr
    assert "Traceback" not in stderr
    assert {path.name for path in out.iterdir()} == {*RUN_FILES, "last.ckpt"}, (
        "nothing half-written"
    )
    checkpoint = load_checkpoint(out / "checkpoint.safetensors")
    assert checkpoint.config == config
    assert checkpoint.facts["epoch"] >= 1
    checkpoint.build()


def _wait_for(path: Path, process: subprocess.Popen[str], *, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, f"no {path.name} within {seconds} s"
        time.sleep(0.05)


def test_the_split_of_the_run_keeps_sources_apart(data: Path, split: Split) -> None:
    samples = find_samples(data)
    leaked(split, samples, group_sources(samples))
    assert min(len(split.train), len(split.val), len(split.test)) >= 3
