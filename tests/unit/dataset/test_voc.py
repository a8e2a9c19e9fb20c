from pathlib import Path

import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.voc import Box, read_labels, read_voc, voc_bytes


def annotation(
    tmp_path: Path, *, name: str = "patches", box=(1, 1, 200, 50), size=(200, 200)
) -> Path:
    sides = "".join(
        f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    path = tmp_path / "patches_1.xml"
    path.write_text(
        f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"<object><name>{name}</name><bndbox>{sides}</bndbox></object></annotation>"
    )
    return path


def test_coordinates_count_from_one_and_include_the_last_pixel(tmp_path):
    assert read_voc(annotation(tmp_path)) == (
        Box(class_name="patches", left=0, top=0, right=200, bottom=50),
    )


def test_a_box_of_one_pixel_is_kept(tmp_path):
    (box,) = read_voc(annotation(tmp_path, box=(7, 9, 7, 9)))

    assert (box.right - box.left, box.bottom - box.top) == (1, 1)


def test_an_annotation_without_objects_has_no_boxes(tmp_path):
    path = tmp_path / "clean.xml"
    path.write_text("<annotation/>")

    assert read_voc(path) == ()


def test_a_size_of_zero_means_that_it_is_not_known(tmp_path):
    assert len(read_voc(annotation(tmp_path, size=(0, 0)))) == 1


def test_an_unknown_class_gets_the_nearest_name(tmp_path):
    with pytest.raises(DataError, match=r"'Scratch'; did you mean 'scratches'"):
        read_voc(annotation(tmp_path, name="Scratch"))


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ((50, 1, 40, 20), "inverted.*xmin 50.*xmax 40"),
        ((1, 30, 40, 20), "inverted"),
        ((0, 1, 40, 20), "outside the image of 200 x 200 px.*xmin 0"),
        ((1, 1, 201, 20), "outside.*xmax 201"),
        ((1, 1, 20, 999), "outside.*ymax 999"),
        (("a", 1, 20, 20), "xmin of a box is 'a'"),
        (("inf", 1, 20, 20), "no number"),
        (("", 1, 20, 20), "no number"),
    ],
)
def test_impossible_boxes_are_refused_with_their_values(tmp_path, box, fault):
    with pytest.raises(DataError, match=rf"patches_1\.xml.*{fault}"):
        read_voc(annotation(tmp_path, box=box))


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    '<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><annotation>&b;</annotation>'
)
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    "<annotation><object><name>&f;</name></object></annotation>"
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (BOMB, "XML entities"),
        (EXTERNAL, "XML entities"),
        ("<annotation><object>", "no valid XML"),
        ("", "no valid XML"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "encoding|valid XML"),
    ],
    ids=["bomb", "external", "cut", "empty", "encoding"],
)
def test_unsafe_and_broken_files_are_named(tmp_path, text, fault):
    path = tmp_path / "bad.xml"
    path.write_text(text)

    with pytest.raises(DataError, match=rf"bad\.xml.*({fault})"):
        read_voc(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.xml"):
        read_voc(tmp_path / "gone.xml")


def test_boxes_of_which_nothing_is_said_are_kept_apart(tmp_path):
    path = annotation(tmp_path, name="unlabelled", box=(2, 3, 4, 5))

    assert read_voc(path) == ()
    assert read_labels(path)[1] == (Box(class_name="unlabelled", left=1, top=2, right=4, bottom=5),)


def test_what_is_written_is_read_back(tmp_path):
    boxes = (
        Box(class_name="patches", left=0, top=0, right=7, bottom=5),
        Box(class_name="rolled-in_scale", left=6, top=4, right=7, bottom=5),
    )
    (tmp_path / "a.xml").write_bytes(voc_bytes(boxes, (5, 7)))

    assert read_voc(tmp_path / "a.xml") == boxes
