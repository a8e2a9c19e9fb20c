import json

import numpy as np
import pytest

from stripscan.contract.errors import ConfigError, DataError, StoreError
from stripscan.dataset.images import read_ids, read_mono
from stripscan.dataset.neu import find_samples
from stripscan.dataset.prepare import prepare
from stripscan.dataset.record import read_record
from stripscan.dataset.samples import LabelKind, load
from stripscan.dataset.voc import read_labels, read_voc
from unit.dataset.formats.foreign_samples import (
    coco,
    marked,
    masks,
    picture,
    pixels,
    severstal,
    text,
    voc,
    voc_text,
    yolo,
)

ROWS = "ImageId,ClassId,EncodedPixels\na.png,3,1 512\na.png,1,409600 1\n"


def left(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_severstal_gives_defects_unlabelled_ones_and_clean_metal(tmp_path):
    source = severstal(tmp_path / "severstal", ROWS)
    prepared = prepare(source, tmp_path / "out", class_map={"3": "scratches"})

    assert left(tmp_path / "out") == [
        "dataset.json",
        "images",
        "images/a.png",
        "images/b.png",
        "masks",
        "masks/a.png",
        "masks/b.png",
    ]
    assert prepared.left_out == ("1", "2", "4")
    a, b = (load(sample) for sample in find_samples(tmp_path / "out"))
    assert a.image.shape == (256, 1600)
    assert a.target.sum() == a.target[5, :, :2].sum() == 512
    assert not a.known[:, 255, 1599].any()
    assert a.known.sum() == 6 * (256 * 1600 - 1)
    assert not b.target.any()
    assert b.known.all()
    record = read_record(tmp_path / "out")
    assert record == prepared.record
    assert record.class_map == {
        "1": "unlabelled",
        "2": "unlabelled",
        "3": "scratches",
        "4": "unlabelled",
    }
    counts = record.counts
    assert (counts.images, counts.masks, counts.boxes) == (2, 2, 0)
    assert (counts.clean, counts.unlabelled) == (1, 1)
    assert counts.classes["scratches"].pixels == 512
    assert counts.classes["scratches"].images == 1


def test_boxes_are_written_as_voc_under_our_names(tmp_path):
    boxes = (("Inclusion", 1, 2, 3, 4), ("weld", 4, 1, 6, 2), ("ok", 1, 1, 1, 1))
    prepare(voc(tmp_path / "set", *boxes), tmp_path / "out", class_map={"ok": "background"})

    (sample,) = find_samples(tmp_path / "out")
    assert sample.kind is LabelKind.BOXES
    file = tmp_path / "out/boxes/a.xml"
    (box,) = read_voc(file)
    assert (box.class_name, box.left, box.top, box.right, box.bottom) == ("inclusion", 0, 1, 3, 4)
    (hidden,) = read_labels(file)[1]
    assert (hidden.left, hidden.top, hidden.right, hidden.bottom) == (3, 0, 6, 2)
    counts = read_record(tmp_path / "out").counts
    assert (counts.boxes, counts.clean, counts.unlabelled) == (1, 0, 1)
    assert counts.classes["inclusion"].boxes == 1


def test_what_was_prepared_can_be_prepared_again(tmp_path):
    source = masks(tmp_path / "set", [[0, 3, 255], [6, 6, 0]])
    text(source / "boxes/a.xml", voc_text(("patches", 2, 1, 2, 1)))
    prepare(source, tmp_path / "one")
    prepare(tmp_path / "one", tmp_path / "two")
    first, second = (
        {k: (tmp_path / n / k).read_bytes() for k in left(source) if (tmp_path / n / k).is_file()}
        for n in ("one", "two")
    )
    assert first == second
    assert read_ids(tmp_path / "two/masks/a.png").tolist() == [[0, 3, 255], [6, 6, 0]]


def test_pictures_keep_their_pixels_and_become_mono_png(tmp_path):
    source = masks(tmp_path / "set", [[0, 0], [0, 0]])
    grey = np.array([[0, 50], [200, 255]], np.uint8)
    pixels(source / "images/a.bmp", np.dstack([grey, grey, grey]))
    prepare(source, tmp_path / "out")
    assert read_mono(tmp_path / "out/images/a.png").tolist() == grey.tolist()
    assert read_ids(tmp_path / "out/images/a.png").ndim == 2


def test_the_digest_follows_labels_and_options(tmp_path):
    source = masks(tmp_path / "set", [[0, 1], [0, 0]])
    plain = prepare(source, tmp_path / "1").record.digest
    assert prepare(source, tmp_path / "2").record.digest == plain
    mapped = prepare(source, tmp_path / "3", class_map={"1": "patches"}).record.digest
    known = prepare(source, tmp_path / "4", known=["crazing"]).record.digest
    scaled = prepare(source, tmp_path / "5", mm_per_px=0.25).record.digest
    assert len({plain, mapped, known, scaled}) == 4


def test_what_the_labels_do_not_speak_of_is_not_known(tmp_path):
    prepare(masks(tmp_path / "set", [[0, 1]]), tmp_path / "out", known=["crazing"])
    (sample,) = find_samples(tmp_path / "out")
    assert load(sample).known.any(axis=(1, 2)).tolist() == [True] + [False] * 5


def test_progress_counts_the_images(tmp_path):
    seen: list[tuple[int, int]] = []
    prepare(
        yolo(tmp_path / "set", ""),
        tmp_path / "out",
        on_image=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]


FAULTS = {
    "polygon": (
        lambda folder: coco(folder, marked([[0, 0, 90, 0, 9, 3]])),
        r"a\.png: .*instances\.json, annotations\.0 \(id 5\): the object reaches",
    ),
    "row": (
        lambda folder: severstal(folder, ROWS + "b.png,2,0 1\n"),
        r"b\.png: .*train\.csv, line 4: run 1 \(0 1\)",
    ),
    "box": (
        lambda folder: voc(folder, ("weld", 1, 1, 7, 2)),
        r"a\.png: the image has 6 x 4 px, and a box of 'weld' reaches 7 x 2 px",
    ),
    "picture": (
        lambda folder: text(yolo(folder, "") / "images/train/b.png", "no picture"),
        r"b\.png: the file is damaged",
    ),
}


@pytest.mark.parametrize(("make", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_any_image_leaves_nothing(tmp_path, make, said):
    make(tmp_path / "set")
    before = left(tmp_path)
    with pytest.raises(DataError, match=said):
        prepare(tmp_path / "set", tmp_path / "deep/er/out")
    assert left(tmp_path) == before


def test_an_interrupt_leaves_nothing(tmp_path):
    source = yolo(tmp_path / "set", "")
    before = left(tmp_path)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(source, tmp_path / "out", on_image=interrupt)
    assert left(tmp_path) == before


def test_the_folder_above_is_made(tmp_path):
    prepare(yolo(tmp_path / "set", ""), tmp_path / "deep/er/out")
    assert len(find_samples(tmp_path / "deep/er/out")) == 2


def test_an_empty_folder_is_filled_and_another_left_alone(tmp_path):
    source = yolo(tmp_path / "set", "")
    (tmp_path / "empty").mkdir()
    prepare(source, tmp_path / "empty")
    for used in (tmp_path / "empty", source / "data.yaml"):
        with pytest.raises(ConfigError, match=f"{used}: is not an empty folder; name a new one"):
            prepare(source, used)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    source = yolo(tmp_path / "set", "")
    file = text(tmp_path / "file", "")
    with pytest.raises(StoreError, match="out: cannot be written"):
        prepare(source, file / "out")
    assert left(tmp_path)[0] == "file"


@pytest.mark.parametrize("size", [0, -0.3, float("nan"), float("inf")])
def test_a_size_of_a_pixel_that_cannot_be_is_refused(tmp_path, size):
    with pytest.raises(ConfigError, match=r"--mm-per-px .*above 0 mm"):
        prepare(yolo(tmp_path / "set", ""), tmp_path / "out", mm_per_px=size)


def test_a_data_set_without_images_is_refused(tmp_path):
    text(tmp_path / "set/a.json", json.dumps({"images": [], "annotations": [], "categories": []}))
    with pytest.raises(DataError, match="there are no images; coco is a JSON file"):
        prepare(tmp_path / "set", tmp_path / "out")


def test_neu_boxes_and_masks_say_the_same_as_before(tmp_path):
    picture(tmp_path / "neu-det/IMAGES/patches_1.jpg", height=8, width=8)
    text(
        tmp_path / "neu-det/ANNOTATIONS/patches_1.xml",
        voc_text(("patches", 1, 1, 3, 3), ("crazing", 2, 2, 8, 8)),
    )
    for part, value in (("training", 1), ("test", 3)):
        picture(tmp_path / f"neu-seg/images/{part}/1.jpg")
        picture(tmp_path / f"neu-seg/annotations/{part}/1.png", value=value)
    picture(tmp_path / "sd-saliency-900/Source Images/Pa_9.bmp")
    picture(tmp_path / "sd-saliency-900/Ground truth/Pa_9.png", value=255)

    for name in ("neu-det", "neu-seg", "sd-saliency-900"):
        prepare(tmp_path / name, tmp_path / "out" / name)
        before, after = find_samples(tmp_path / name), find_samples(tmp_path / "out" / name)
        for old, new in zip(sorted(before, key=str), sorted(after, key=str), strict=True):
            a, b = load(old), load(new)
            assert old.kind is new.kind
            assert np.array_equal(a.image, b.image)
            assert np.array_equal(a.target, b.target)
            assert np.array_equal(a.known, b.known)
