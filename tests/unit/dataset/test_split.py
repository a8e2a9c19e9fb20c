import dataclasses
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.samples import LabelKind, Sample
from stripscan.dataset.split import (
    Split,
    SplitProtocol,
    best_label,
    changed,
    leaked,
    read_split,
    split_as_original,
    split_by_source,
    write_split,
)


def sample(
    folder: Path, name: str, *, class_id: int = 2, dataset: str = "x", kind=LabelKind.MASK
) -> Sample:
    seed = sum(map(ord, name))
    noise = np.random.default_rng(seed).integers(0, 255, (12, 12), np.uint8)
    cv2.imwrite(str(folder / f"{name}.png"), noise)
    label = folder / f"{name}_mask.png"
    cv2.imwrite(str(label), np.full((12, 12), class_id, np.uint8))
    if kind is LabelKind.BOXES:
        label = folder / f"{name}.xml"
        label.write_text("<annotation/>")
    return Sample(
        name=f"{dataset}/{name}",
        dataset=dataset,
        image=folder / f"{name}.png",
        label=label,
        kind=kind,
    )


@pytest.fixture
def samples(tmp_path):
    """Forty groups of two: twenty of inclusion, twenty of scratches."""
    return [sample(tmp_path, f"s{i:02}", class_id=2 if i < 40 else 6) for i in range(80)]


GROUPS = np.arange(80) // 2


def test_each_side_has_its_share_of_each_class(samples):
    split = split_by_source(samples, GROUPS, seed=1, test=0.2, val=0.1)

    assert [len(split.train), len(split.val), len(split.test)] == [56, 8, 16]
    assert sum(name < "x/s40" for name in split.test) == 8
    assert sum(name < "x/s40" for name in split.val) == 4
    assert {*split.train, *split.val, *split.test} == {s.name for s in samples}
    leaked(split, samples, GROUPS)


def test_the_seed_decides_and_the_order_does_not(samples):
    split = split_by_source(samples, GROUPS, seed=1)
    order = np.random.default_rng(0).permutation(80)

    shuffled = split_by_source([samples[i] for i in order], 99 - GROUPS[order], seed=1)

    assert shuffled == split
    assert shuffled.digest == split.digest
    assert split_by_source(samples, GROUPS, seed=2).test != split.test


def test_impossible_shares_are_refused(samples):
    with pytest.raises(ConfigError, match=r"test 0\.6 and val 0\.4"):
        split_by_source(samples, GROUPS, seed=1, test=0.6, val=0.4)


def test_a_group_on_two_sides_is_a_leak(samples):
    split = Split(train=("x/s00",), val=(), test=("x/s01",))

    with pytest.raises(DataError, match=r"leaks: 'x/s00' \(train\) and 'x/s01' \(test\)"):
        leaked(split, samples, GROUPS)


def test_a_sample_on_two_sides_is_a_leak(samples):
    with pytest.raises(DataError, match="'x/s00' is in the split more than once"):
        leaked(Split(train=("x/s00",), val=(), test=("x/s00",)), samples, GROUPS)


def test_a_split_comes_back_as_written(tmp_path, samples):
    split = split_by_source(samples, GROUPS, seed=1)
    write_split(tmp_path / "split.json", split)

    assert read_split(tmp_path / "split.json") == split
    changed(split, samples)


def test_a_split_changed_by_hand_is_refused(tmp_path, samples):
    path = tmp_path / "split.json"
    write_split(path, split_by_source(samples, GROUPS, seed=1))
    content = json.loads(path.read_text())
    content["test"].append(content["train"].pop())
    path.write_text(json.dumps(content))

    with pytest.raises(DataError, match=r"split\.json.*changed"):
        read_split(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"train": 3}', '{"train": [], "val": []'])
def test_what_is_no_split_is_refused(tmp_path, text):
    path = tmp_path / "split.json"
    path.write_text(text)

    with pytest.raises(DataError, match=r"split\.json.*no split file"):
        read_split(path)


def test_a_missing_split_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.json"):
        read_split(tmp_path / "gone.json")


def test_changed_pixels_are_noticed(samples):
    split = split_by_source(samples, GROUPS, seed=1)
    cv2.imwrite(str(samples[5].image), np.zeros((12, 12), np.uint8))

    with pytest.raises(DataError, match=r"s05\.png.*pixels differ"):
        changed(split, samples)


def test_missing_images_are_noticed(samples):
    split = split_by_source(samples, GROUPS, seed=1)

    with pytest.raises(DataError, match="'x/s00'"):
        changed(split, samples[1:])


@pytest.fixture
def detection(tmp_path):
    """NEU-DET with ten images of two classes, and a picture of another data set."""
    names = [f"{kind}_{i}" for kind in ("crazing", "rolled-in_scale") for i in range(10)]
    return [
        *(sample(tmp_path, n, dataset="neu-det", kind=LabelKind.BOXES) for n in names),
        sample(tmp_path, "000001", dataset="neu-seg"),
    ]


def test_the_original_protocol_sets_five_images_of_each_class_aside(detection):
    split = split_as_original(detection, seed=3)

    kinds = [name.rpartition("_")[0] for name in split.val]
    assert kinds == ["neu-det/crazing"] * 5 + ["neu-det/rolled-in_scale"] * 5
    assert (len(split.train), len(split.test)) == (7, 3)
    assert {*split.train, *split.val, *split.test} == {s.name for s in detection[:-1]}
    assert set(split.pixels) == {s.name for s in detection[:-1]}
    assert split_as_original(detection[::-1], seed=3) == split
    assert split_as_original(detection, seed=4) != split


def test_the_original_validation_folder_is_the_validation(detection, tmp_path):
    folder = tmp_path / "Validation_Images"
    folder.mkdir()
    moved = [
        dataclasses.replace(s, image=s.image.rename(folder / s.image.name)) if i < 2 else s
        for i, s in enumerate(detection)
    ]

    split = split_as_original(moved, seed=3)

    assert split.val == ("neu-det/crazing_0", "neu-det/crazing_1")
    assert (len(split.train), len(split.test)) == (13, 5)


def test_the_original_protocol_needs_the_original_data(samples):
    with pytest.raises(DataError, match="0 images of NEU-DET"):
        split_as_original(samples, seed=1)


def test_a_split_says_its_protocol_and_is_refused_unless_it_is_accepted(detection, tmp_path):
    path = tmp_path / "split.json"
    write_split(path, split_as_original(detection, seed=3))

    split = read_split(path)

    assert split.protocol is SplitProtocol.NEU_ORIGINAL
    one_group = np.zeros(len(detection), np.int64)
    leaked(split, detection, one_group, accept_protocol=True)
    with pytest.raises(DataError, match=r"'neu-original'.*--protocol source"):
        leaked(split, detection, np.arange(len(detection)))


def test_the_protocol_cannot_be_taken_out_of_the_file(detection, tmp_path):
    path = tmp_path / "split.json"
    write_split(path, split_as_original(detection, seed=3))
    content = json.loads(path.read_text())
    del content["protocol"]
    path.write_text(json.dumps(content))

    with pytest.raises(DataError, match="changed"):
        read_split(path)


def test_an_unknown_protocol_is_refused(detection, tmp_path):
    path = tmp_path / "split.json"
    write_split(path, split_as_original(detection, seed=3))
    path.write_text(path.read_text().replace("neu-original", "by-moon"))

    with pytest.raises(DataError, match=r"split\.json.*by-moon"):
        read_split(path)


def test_splits_by_source_keep_the_digest_that_they_had_before_protocols():
    split = Split(train=("x/a",), val=(), test=("x/b",), pixels={"x/a": "0" * 16})
    text = '[["x/a"], [], ["x/b"], {"x/a": "0000000000000000"}]'

    assert split.digest == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_the_pixel_mask_replaces_the_box(tmp_path):
    boxes = sample(tmp_path, "inclusion_7", dataset="neu-det", kind=LabelKind.BOXES)
    binary = sample(tmp_path, "In_7", dataset="sd-saliency-900")
    binary.image.write_bytes(boxes.image.read_bytes())
    alone = sample(tmp_path, "crazing_1", dataset="neu-det", kind=LabelKind.BOXES)

    assert best_label([boxes, binary, alone], np.array([0, 0, 1])) == [
        alone,
        dataclasses.replace(binary, boxes=boxes.label),
    ]


def test_of_rotated_masks_the_upright_one_is_chosen(tmp_path):
    rng = np.random.default_rng(3)
    upright = cv2.GaussianBlur(rng.integers(0, 255, (200, 200)).astype(np.float32), (0, 0), 4)
    upright = cv2.normalize(upright, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    reference = sample(tmp_path, "patches_1", dataset="neu-det", kind=LabelKind.BOXES)
    cv2.imwrite(str(reference.image), upright)
    turned = [sample(tmp_path, f"00000{k}", dataset="neu-seg") for k in range(4)]
    for k, one in enumerate(turned):
        cv2.imwrite(str(one.image), np.rot90(upright, k + 1))

    assert best_label([*turned, reference], np.zeros(5, int)) == [
        dataclasses.replace(turned[3], boxes=reference.label)
    ]
