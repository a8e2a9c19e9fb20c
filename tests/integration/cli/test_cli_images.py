"""predict, eval and data split on generated images."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from integration.cli.program import fine, refused, run
from stripscan.contract.bundle import open_bundle, write_bundle
from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.manifest import ManifestDraft, VariantDraft
from stripscan.contract.rle import mask_of
from stripscan.dataset.images import pixel_digest, read_ids, read_mono
from stripscan.dataset.split import read_split
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.evaluate import SEEN_FILE

IMAGES = 8

FIGURES = {
    "dice",
    "dice_boxed",
    "dice_pixel",
    "miou_pixel",
    "miou_pixel_with_background",
    "per_class",
    "n_images",
    "n_images_boxes",
    "n_images_pixel",
    "dice_pos",
    "dice_neg",
    "iou",
    "detection_rate",
    "classification_rate",
    "defect_precision",
    "ece",
    "box_figures_of",
    "defects",
    "false_alarms",
    "reliability",
    "intervals",
    "n_sources",
    "model",
    "baseline",
}
CLASS_FIGURES = {"dice", "iou", "precision", "recall", "n_images", "label"}

VOC = """\
<annotation>
  <size><width>512</width><height>200</height></size>
  <object>
    <name>patches</name>
    <bndbox><xmin>11</xmin><ymin>21</ymin><xmax>60</xmax><ymax>80</ymax></bndbox>
  </object>
</annotation>
"""


def bundle_that_has_seen(images: list[Path], path: Path) -> Path:
    """Write the default bundle as if it had been trained on these images."""
    bundle = open_bundle(default_bundle_path())
    files = {name: bundle.read(name) for name in bundle.manifest.files}
    files[SEEN_FILE] = "\n".join(pixel_digest(read_mono(image)) for image in images).encode()
    fields = {name: getattr(bundle.manifest, name) for name in ManifestDraft.model_fields}
    fields["variants"] = tuple(
        VariantDraft(**{name: getattr(variant, name) for name in VariantDraft.model_fields})
        for variant in bundle.manifest.variants
    )
    return write_bundle(path, ManifestDraft(**fields), files).path


def test_predict_writes_mask_overlay_and_record_of_each_image(frames: Path, tmp_path: Path) -> None:
    images = [frames / "block_000001.png", frames / "block_000006.png"]
    said = fine(run("predict", "default", *images, "--out", "seen", cwd=tmp_path))

    assert [line.partition(":")[0] for line in said.splitlines()] == [str(i) for i in images]
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == [
        f"block_00000{n}.{kind}" for n in (1, 6) for kind in ("json", "mask.png", "overlay.png")
    ]
    for image in images:
        mask = read_ids(tmp_path / "seen" / f"{image.stem}.mask.png")
        record = json.loads((tmp_path / "seen" / f"{image.stem}.json").read_text())
        from_runs = np.zeros((200, 512), np.uint8)
        ids = {c.name: c.id for c in NEU_CLASSES}
        for found in record["classes"]:
            runs = np.array(found["runs"], np.int64)
            from_runs |= ids[found["class"]] * mask_of(runs, first_line=0, lines=200, width=512)
        assert mask.any()
        assert np.array_equal(mask, from_runs)
        assert record["iou_with_annotation"] is None


def test_predict_holds_the_result_against_boxes_and_masks(image: Path, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / f"{image.stem}.xml").write_text(VOC)
    said = fine(run("predict", "default", image, "--annotations", "labels", cwd=tmp_path))
    assert "| IoU" in said
    assert "patches" in said
    wide = cv2.imread(str(tmp_path / "predictions" / f"{image.stem}.overlay.png"))
    assert wide is not None
    assert wide.shape[1] > 3 * 512

    truth = image.parent / "truth" / image.name
    fine(run("predict", "default", image, "--annotations", truth, cwd=tmp_path))
    record = json.loads((tmp_path / "predictions" / f"{image.stem}.json").read_text())
    assert set(record["iou_with_annotation"]) >= {
        c.name for c in NEU_CLASSES if (read_ids(truth) == c.id).any()
    }


def test_predict_takes_colour_and_large_images(tmp_path: Path) -> None:
    grey = np.tile(np.arange(100, 132, dtype=np.uint8), (70, 38))[:, :1200]
    cv2.imwrite(str(tmp_path / "large.png"), cv2.merge([grey, grey, grey]))
    fine(run("predict", "default", "large.png", cwd=tmp_path))
    assert read_ids(tmp_path / "predictions" / "large.mask.png").shape == (70, 1200)


def test_eval_writes_every_figure(labelled: Path, tmp_path: Path) -> None:
    ask = ("eval", "--data", labelled, "--json", "figures.json", "--clean-m2", "0.02")
    done = run(*ask, cwd=tmp_path)
    assert f"{IMAGES} images" in fine(done)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures) == FIGURES
    assert (figures["n_images"], figures["n_images_boxes"]) == (IMAGES, 0)
    assert figures["dice"] is None
    assert 0 < figures["dice_pixel"] <= 1
    assert 0 < figures["miou_pixel"] <= 1
    assert list(figures["per_class"]) == [c.name for c in NEU_CLASSES]
    assert all(set(row) == CLASS_FIGURES for row in figures["per_class"].values())


def test_eval_leaves_out_what_the_model_has_seen(labelled: Path, tmp_path: Path) -> None:
    images = sorted((labelled / "images").iterdir())
    some = bundle_that_has_seen(images[:3], tmp_path / "some.zip")
    every = bundle_that_has_seen(images, tmp_path / "every.zip")
    written = tmp_path / "figures.json"
    ask = ("eval", "--data", labelled, "--json", written, "--clean-m2", "0")

    done = run(*ask, "--bundle", some, cwd=tmp_path)
    fine(done)
    assert "3 of 8 images were seen in training" in done.stderr
    assert json.loads(written.read_text())["n_images"] == IMAGES - 3

    fine(run(*ask, "--bundle", some, "--include-seen", cwd=tmp_path))
    assert json.loads(written.read_text())["n_images"] == IMAGES

    written.unlink()
    assert "every one was seen" in refused(run(*ask, "--bundle", every, cwd=tmp_path), 2)
    assert not written.exists()


def test_split_divides_all_images_and_eval_scores_its_test_part(
    frames: Path, tmp_path: Path
) -> None:
    for image in frames.glob("*.png"):
        pixels = read_mono(image)
        for side, half in enumerate(np.hsplit(pixels, 2)):
            name = f"{image.stem}-{side}"
            write_labelled(tmp_path / "mine", name, half)
            write_labelled(tmp_path / "mine", f"{name}-turned", np.rot90(half))
    ask = ("data", "split", "mine", "--test", "0.4", "--val", "0.2", "--seed", "3")
    said = fine(run(*ask, "--out", "split.json", cwd=tmp_path))
    split = read_split(tmp_path / "split.json")
    assert split.digest in said
    sides = (split.train, split.val, split.test)
    assert sum(map(len, sides)) == 4 * IMAGES
    assert split.test
    for names in sides:  # a picture and its turned copy are the same metal
        assert {f"{n}-turned" for n in names if not n.endswith("-turned")} <= set(names)

    ask = ("eval", "--data", "mine", "--split", "split.json", "--clean-m2", "0")
    fine(run(*ask, "--json", "figures.json", cwd=tmp_path))
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["n_images"] == len(split.test)


def write_labelled(folder: Path, name: str, pixels: NDArray[np.uint8]) -> None:
    mask = np.zeros_like(pixels)
    mask[20:60, 30:90] = 3
    for place, content in (("images", pixels), ("masks", mask)):
        (folder / place).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / place / f"{name}.png"), content)


def test_a_split_without_test_images_is_told(labelled: Path, tmp_path: Path) -> None:
    fine(run("data", "split", labelled, "--test", "0", cwd=tmp_path))
    done = run("eval", "--data", labelled, "--split", "split.json", cwd=tmp_path)
    assert "split.json: has no test images" in refused(done, 2)


@pytest.mark.parametrize("shares", [("0.7", "0.3"), ("-0.1", "0.1")])
def test_shares_that_leave_nothing_to_train_on_are_refused(
    labelled: Path, tmp_path: Path, shares: tuple[str, str]
) -> None:
    test, val = shares
    done = run("data", "split", labelled, f"--test={test}", f"--val={val}", cwd=tmp_path)
    assert "their sum must be below 1" in refused(done, 2)
    assert list(tmp_path.iterdir()) == []
