import numpy as np
import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.masks import MASKS
from unit.dataset.formats.foreign_samples import masks, painted, picture, pixels, text, voc_text

SHAPE = (2, 3)


def test_our_own_ids_need_no_map(tmp_path):
    rows = [[0, 3, 6], [255, 0, 0]]
    assert painted(MASKS.read(masks(tmp_path, rows)), "a", SHAPE).tolist() == rows


def test_other_values_mean_nothing_until_they_are_mapped(tmp_path):
    foreign = MASKS.read(masks(tmp_path, [[0, 3, 38], [255, 0, 0]]))
    assert foreign.classes == ("3", "38", "255")
    assert painted(foreign, "a", SHAPE).tolist() == [[0, 255, 255], [255, 0, 0]]
    given = {"38": "inclusion", "255": "scratches", "3": "background"}
    assert painted(foreign, "a", SHAPE, given).tolist() == [[0, 0, 2], [6, 0, 0]]


def test_boxes_lie_beside_a_mask_or_in_its_place(tmp_path):
    source = masks(tmp_path, [[0, 3, 6], [255, 0, 0]])
    picture(source / "images/b.png")
    for name in ("a", "b"):
        text(source / f"boxes/{name}.xml", voc_text(("patches", 2, 1, 2, 1)))
    a, b = MASKS.read(source).images
    assert a.paint is not None
    assert b.paint is None
    assert [box.class_name for image in (a, b) for box in image.boxes or ()] == ["patches"] * 2


def test_an_image_without_a_mask_is_named(tmp_path):
    source = masks(tmp_path, [[0, 3, 6]])
    picture(source / "images/b.png")
    with pytest.raises(DataError, match=r"b\.png: the image has no annotation; expected .*b\.png"):
        MASKS.read(source)


def test_a_mask_of_another_size_is_named(tmp_path):
    foreign = MASKS.read(masks(tmp_path, [[0, 3, 6]]))
    with pytest.raises(DataError, match=r"a\.png: the mask has 3 x 1 px, its image 3 x 2 px"):
        painted(foreign, "a", SHAPE)


def test_a_coloured_mask_is_refused(tmp_path):
    source = masks(tmp_path, [[0, 3, 6]])
    pixels(source / "masks/a.png", np.zeros((1, 3, 3), np.uint8))
    with pytest.raises(DataError, match=r"a\.png: a mask must be an 8-bit image of one channel"):
        MASKS.read(source)
