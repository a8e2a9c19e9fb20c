"""eval: false alarms, the baseline, the page, gates, and checkpoints."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from integration.cli.program import fine, refused, run
from stripscan.dataset.images import pixel_digest, read_mono
from stripscan.dataset.neu import find_samples
from stripscan.dataset.split import Split, write_split


def divided(data: Path) -> Split:
    """Return a split of the data whose last two images are the test."""
    samples = find_samples(data)
    names = [sample.name for sample in samples]
    return Split(
        train=tuple(names[:-3]),
        val=(names[-3],),
        test=tuple(names[-2:]),
        pixels={sample.name: pixel_digest(read_mono(sample.image)) for sample in samples},
    )


def test_all_that_can_be_measured_is_in_the_file_and_on_the_page(
    labelled: Path, tmp_path: Path
) -> None:
    write_split(tmp_path / "split.json", divided(labelled))
    (tmp_path / "clean").mkdir()
    for number in range(2):
        flat = np.full((100, 200), 120 + number, np.uint8)
        cv2.imwrite(str(tmp_path / "clean" / f"{number}.png"), flat)
    ask = ("eval", "--data", labelled, "--split", "split.json", "--baseline")
    ask += ("--clean", "clean", "--clean-m2", "0.01")
    said = fine(run(*ask, "--json", "f.json", "--page", "page.html", cwd=tmp_path))

    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["n_images"] == figures["baseline"]["n_images"] == 2
    alarms = figures["false_alarms"]
    assert set(alarms) == {"unlabelled_metal", "simulated_metal", "clean_folder"}
    assert alarms["simulated_metal"]["area_m2"] == pytest.approx(2 * (256 * 0.3e-3) ** 2)
    assert alarms["clean_folder"]["area_m2"] == pytest.approx(2 * 100 * 200 * 0.09e-6)
    assert alarms["clean_folder"]["high"] > 0
    assert "nearest mask" in said
    page = (tmp_path / "page.html").read_text()
    assert "clean folder" in page
    assert "Nearest mask copied" in page
    assert "made/block_" in page


def test_a_gate_that_fails_names_what_failed_and_keeps_the_figures(
    labelled: Path, tmp_path: Path
) -> None:
    ask = ("eval", "--data", labelled, "--clean-m2", "0", "--json", "f.json")
    fine(run(*ask, "--min-miou-pixel", "0.01", cwd=tmp_path))
    gates = ("--min-detection", "0.99", "--min-dice", "0.1", "--max-false-alarms", "1")
    message = refused(run(*ask, *gates, cwd=tmp_path), 1)

    found = json.loads((tmp_path / "f.json").read_text())
    assert found["detection_rate"] < 0.99
    said = f"detection_rate is {found['detection_rate']:.3f}, at least 0.99 was asked for"
    assert said in message
    assert "dice is –, at least 0.1 was asked for" in message
    assert "no clean metal was looked at" in message


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--bundle", "default", "--checkpoint", "c"), "give one of them"),
        (("--baseline", "--include-seen"), "leave out --include-seen"),
        (("--overlap", "0"), "above 0 and up to 1"),
        (("--clean", "none", "--clean-m2", "0"), "none: there is no such folder of clean images"),
        (("--clean-m2", "0", "--baseline"), "--baseline copies masks of the training"),
    ],
)
def test_options_that_do_not_fit_are_told(
    labelled: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    assert said in refused(run("eval", "--data", labelled, *options, cwd=tmp_path), 2)
    assert list(tmp_path.iterdir()) == []


def test_pixels_that_changed_since_the_split_are_told(labelled: Path, tmp_path: Path) -> None:
    split = divided(labelled)
    other = Split(
        train=split.train,
        val=split.val,
        test=split.test,
        pixels=split.pixels | {split.test[0]: "0" * 16},
    )
    write_split(tmp_path / "split.json", other)
    done = run("eval", "--data", labelled, "--split", "split.json", cwd=tmp_path)
    assert "the pixels differ from those that the split was drawn from" in refused(done, 2)


@pytest.mark.train
def test_a_checkpoint_is_scored_on_the_split_that_lies_beside_it(
    labelled: Path, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    from stripscan.contract.classes import NEU_CLASSES
    from stripscan.train.checkpoint import Checkpoint, model_state, save_checkpoint
    from stripscan.train.models import build_model
    from unit.train.train_samples import tiny_config

    config, split = tiny_config(), divided(labelled)
    torch.manual_seed(1)
    model = build_model(config.model, classes=len(NEU_CLASSES), box_head=config.box_head)
    checkpoint = Checkpoint(
        config=config,
        state=model_state(model),
        thresholds={c.name: 0.5 for c in NEU_CLASSES},
        facts={"split_digest": split.digest},
    )
    (tmp_path / "run").mkdir()
    save_checkpoint(checkpoint, tmp_path / "run" / "c.safetensors")
    ask = ("eval", "--data", labelled, "--checkpoint", "run/c.safetensors", "--clean-m2", "0")

    assert "no split.json lies beside it" in refused(run(*ask, cwd=tmp_path), 2)

    write_split(tmp_path / "run" / "split.json", split)
    fine(run(*ask, "--json", "f.json", cwd=tmp_path))
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["n_images"] == len(split.test)
    assert figures["box_figures_of"] == "box head"

    others = Split(train=split.test, val=split.val, test=split.train, pixels=split.pixels)
    write_split(tmp_path / "other.json", others)
    message = refused(run(*ask, "--split", "other.json", cwd=tmp_path), 2)
    assert f"was trained with split {split.digest}, other.json is {others.digest}" in message
