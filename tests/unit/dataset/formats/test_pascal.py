import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.pascal import VOC
from stripscan.dataset.voc import Box
from unit.dataset.formats.foreign_samples import picture, text, voc, voc_text


def test_boxes_keep_their_names(tmp_path):
    foreign = VOC.read(voc(tmp_path, ("Welding line", 1, 1, 6, 2), ("Inclusion", 2, 2, 3, 3)))
    assert foreign.classes == ("Welding line", "Inclusion")
    assert foreign.default_map == {"Inclusion": "inclusion"}
    assert foreign.images[0].boxes == (
        Box(class_name="Welding line", left=0, top=0, right=6, bottom=2),
        Box(class_name="Inclusion", left=1, top=1, right=3, bottom=3),
    )


def test_an_image_without_annotation_is_named(tmp_path):
    picture(voc(tmp_path) / "JPEGImages/b.png")
    with pytest.raises(DataError, match=r"b\.png: .*expected .*b\.xml, without an object where"):
        VOC.read(tmp_path)


def test_an_annotation_without_image_is_named(tmp_path):
    text(voc(tmp_path) / "Annotations/b.xml", voc_text())
    with pytest.raises(DataError, match=r"b\.xml: there is no image of this annotation"):
        VOC.read(tmp_path)


def test_a_box_without_a_class_is_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.xml: a box has no class"):
        VOC.read(voc(tmp_path, (" ", 1, 1, 2, 2)))


def test_another_folder_is_not_in_this_format(tmp_path):
    assert not VOC.found(tmp_path)
    with pytest.raises(DataError, match="there are no JPEGImages/"):
        VOC.read(tmp_path)
