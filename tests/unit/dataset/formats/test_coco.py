import json

import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.coco import COCO
from unit.dataset.formats.foreign_samples import SQUARE, coco, marked, painted, picture, text

SHAPE = (4, 6)


def test_a_polygon_of_two_parts(tmp_path):
    parts = [SQUARE, [4, 3, 6, 3, 6, 4, 4, 4]]
    foreign = COCO.read(coco(tmp_path, marked(parts)))
    assert foreign.default_map == {"Scratches": "scratches"}
    assert painted(foreign, "a", SHAPE).tolist() == [
        [0, 6, 6, 0, 0, 0],
        [0, 6, 6, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 6, 6],
    ]
    assert not painted(foreign, "b", SHAPE).any()


@pytest.mark.parametrize("counts", [[4, 2, 2, 2, 14], "4220<"])
def test_run_lengths(tmp_path, counts):
    foreign = COCO.read(coco(tmp_path, marked({"size": [4, 6], "counts": counts})))
    assert painted(foreign, "a", SHAPE)[:3, :4].tolist() == [
        [0, 6, 6, 0],
        [0, 6, 6, 0],
        [0, 0, 0, 0],
    ]


def test_a_crowd_and_a_class_that_is_not_ours_are_unlabelled(tmp_path):
    crowd = marked({"size": [4, 6], "counts": [20, 4]}, iscrowd=1)
    dent = marked([[0, 2, 1, 2, 1, 3, 0, 3]], category_id=8)
    mask = painted(COCO.read(coco(tmp_path, marked(), crowd, dent)), "a", SHAPE)
    assert mask.tolist() == [
        [0, 6, 6, 0, 0, 255],
        [0, 6, 6, 0, 0, 255],
        [255, 0, 0, 0, 0, 255],
        [0, 0, 0, 0, 0, 255],
    ]


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (marked([]), "it has no segmentation, and a box is no mask"),
        (marked([[0, 0, 9, 0, 9, 3]]), "to 9.0, 3.0 px (x, y) and so out of the image of 6 x 4 px"),
        (marked({"size": [6, 4], "counts": [24]}), "its size (height, width) is (6, 4)"),
        (marked({"size": [4, 6], "counts": [5]}), "must add up to the 24 pixels"),
        (marked({"size": [4, 6], "counts": "~"}), "no compressed run length"),
    ],
)
def test_a_fault_of_an_object_names_it(tmp_path, annotation, said):
    foreign = COCO.read(coco(tmp_path, annotation))
    with pytest.raises(DataError) as error:
        painted(foreign, "a", SHAPE)
    place = tmp_path / "annotations/instances.json"
    assert f"{place}, annotations.0 (id 5): " in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("annotation", "changes", "said"),
    [
        (marked(image_id=9), {}, "annotations.0 (id 5): there is no image with the id 9"),
        (marked(category_id=9), {}, "there is no category with the id 9"),
        ({"id": 3}, {}, "is no COCO file: annotations.0.image_id: Field required"),
        (marked(), {"categories": 3}, "is no COCO file: categories"),
        (marked(), {"categories": [{"id": 7, "name": "a"}] * 2}, "two categories have the same id"),
        (marked(), {"images": [{"id": 1, "file_name": "c.png"}]}, "image 1, 'c.png', is in none"),
        (marked(), {"images": [{"id": 1, "file_name": "../x.png"}]}, "which leads out of"),
        (marked(), {"images": [{"id": 1, "file_name": "C:\\..\\x"}]}, "which leads out of"),
        (marked(), {"images": [{"id": 1, "file_name": "/etc/x.png"}]}, "which leads out of"),
    ],
)
def test_faults_of_the_file_are_named(tmp_path, annotation, changes, said):
    with pytest.raises(DataError) as error:
        COCO.read(coco(tmp_path, annotation, **changes))
    assert "instances.json" in str(error.value)
    assert said in str(error.value)


def test_broken_json_is_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.json: is no COCO file: Invalid JSON"):
        COCO.read(text(tmp_path / "a.json", '{"images": ['))


def test_an_image_of_another_size_is_refused(tmp_path):
    foreign = COCO.read(coco(tmp_path, marked()))
    with pytest.raises(DataError, match=r"has 8 x 4 px, .*instances\.json says 6 x 4 px"):
        painted(foreign, "a", (4, 8))


def test_the_source_may_be_the_file_and_images_lie_beside_it(tmp_path):
    picture(tmp_path / "a.png")
    document = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [marked()],
        "categories": [{"id": 7, "name": "x"}],
    }
    file = text(tmp_path / "set.json", json.dumps(document))
    text(tmp_path / "other.json", "{}")
    assert COCO.found(file)
    assert painted(COCO.read(file), "a", SHAPE, {"x": "patches"}).sum() == 4 * 3


def test_an_image_in_two_files_is_refused(tmp_path):
    coco(tmp_path, marked())
    file = tmp_path / "annotations/instances.json"
    text(tmp_path / "annotations/more.json", file.read_text())
    with pytest.raises(DataError, match=r"a\.png: is labelled twice, in .*and in .*more\.json"):
        COCO.read(tmp_path)
