import json
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.neu import find_samples
from stripscan.dataset.record import read_record
from stripscan.dataset.samples import LabelKind, load
from unit.dataset.formats.foreign_samples import picture, pixels, text, voc_text

RECORD = {
    "schema_version": 1,
    "source_format": "masks",
    "class_map": {"1": "inclusion"},
    "classes_known": ["inclusion", "scratches"],
    "mm_per_px": None,
    "counts": {
        **dict.fromkeys(("images", "masks", "boxes", "clean", "unlabelled"), 1),
        "classes": {"inclusion": {"images": 1, "pixels": 3, "boxes": 0}},
    },
    "digest": "0123456789abcdef",
}


def record(folder: Path, **changes: object) -> None:
    text(folder / "dataset.json", json.dumps(RECORD | changes))


def test_samples_know_their_kind_their_classes_and_the_boxes_beside_a_mask(tmp_path):
    folder = tmp_path / "mine"
    record(folder)
    for name in ("both", "box", "mask"):
        picture(folder / f"images/{name}.png")
    for name in ("both", "mask"):
        pixels(folder / f"masks/{name}.png", np.full((4, 6), 2, np.uint8))
    for name in ("both", "box"):
        text(folder / f"boxes/{name}.xml", voc_text(("scratches", 2, 1, 2, 4)))

    both, box, mask = find_samples(tmp_path)

    assert [s.name for s in (both, box, mask)] == ["mine/both", "mine/box", "mine/mask"]
    assert [s.kind for s in (both, box, mask)] == [
        LabelKind.MASK,
        LabelKind.BOXES,
        LabelKind.MASK,
    ]
    assert mask.boxes is None
    assert box.boxes is None
    labelled = load(both)
    assert np.flatnonzero(labelled.known.any(axis=(1, 2))).tolist() == [1, 5]
    assert labelled.target[1].all()
    assert labelled.boxes is not None
    assert labelled.boxes[5, :, 1].all()


def test_an_image_with_neither_is_named(tmp_path):
    record(tmp_path)
    picture(tmp_path / "images/a.png")
    with pytest.raises(DataError, match=r"a\.png: the image has no annotation; expected .*a\.xml"):
        find_samples(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 2}, "has schema version 2, this stripscan reads up to 1; upgrade"),
        ({"classes_known": ["rust"]}, "classes_known: 'rust' is no class; valid are crazing"),
        ({"colour": 1}, "colour: Extra inputs are not permitted; prepare the data again, or"),
        ({"mm_per_px": 0}, "mm_per_px: Input should be greater than 0"),
    ],
)
def test_a_record_that_cannot_be_used_is_named(tmp_path, changes, said):
    record(tmp_path, **changes)
    with pytest.raises(DataError) as error:
        read_record(tmp_path)
    assert f"{tmp_path / 'dataset.json'}: {said}" in str(error.value)


def test_a_record_that_is_no_json_is_named(tmp_path):
    text(tmp_path / "dataset.json", "{")
    with pytest.raises(DataError, match=r"dataset\.json: is no JSON"):
        read_record(tmp_path)
