import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.yolo import YOLO
from unit.dataset.formats.foreign_samples import painted, picture, text, yolo

SHAPE = (4, 6)
LEFT_HALF = "0 0 0 0.5 0 0.5 1 0 1\n"


def test_polygons_are_shares_of_width_and_height(tmp_path):
    foreign = YOLO.read(yolo(tmp_path, LEFT_HALF + "\n1 0.5 0 1 0 1 0.5 0.5 0.5\n"))
    assert painted(foreign, "a", SHAPE).tolist() == [
        [6, 6, 6, 255, 255, 255],
        [6, 6, 6, 255, 255, 255],
        [6, 6, 6, 0, 0, 0],
        [6, 6, 6, 0, 0, 0],
    ]


def test_an_image_without_text_or_with_an_empty_one_is_clean(tmp_path):
    foreign = YOLO.read(yolo(tmp_path, ""))
    assert not painted(foreign, "a", SHAPE).any()
    assert not painted(foreign, "b", SHAPE).any()


def test_parts_in_folders_of_their_own(tmp_path):
    text(tmp_path / "data.yaml", "names: {0: Scratches}")
    for part in ("train", "valid"):
        picture(tmp_path / f"{part}/images/a.png")
        text(tmp_path / f"{part}/labels/a.txt", LEFT_HALF if part == "valid" else "")
    text(tmp_path / "train/labels/classes.txt", "Scratches")
    foreign = YOLO.read(tmp_path)
    assert [image.name for image in foreign.images] == ["train_images_a", "valid_images_a"]
    assert not painted(foreign, "train_images_a", SHAPE).any()
    assert painted(foreign, "valid_images_a", SHAPE).any()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2 0 0 1 0 1 1", "the class is '2'; data.yaml names 0 to 1: Scratches, dent"),
        ("-1 0 0 1 0 1 1", "the class is '-1'"),
        (f"{'9' * 5000} 0 0 1 0 1 1", "data.yaml names 0 to 1"),
        ("0 0.5 0.5 0.2 0.2", "it has a box, and a box is no mask"),
        ("0 0 0 1 0 1", "5 numbers are no polygon"),
        ("0", "0 numbers are no polygon"),
        ("0 0 0 1 0 x 1", "could not convert string to float: 'x'"),
        ("0 0 0 1 0 nan 1", "no finite number"),
        ("0 0 0 200 0 200 100", "out of the image of 6 x 4 px"),
    ],
)
def test_faults_have_their_line(tmp_path, line, said):
    foreign = YOLO.read(yolo(tmp_path, f"{LEFT_HALF}{line}\n"))
    with pytest.raises(DataError) as error:
        painted(foreign, "a", SHAPE)
    assert f"{tmp_path / 'labels/train/a.txt'}, line 2: " in str(error.value)
    assert said in str(error.value)


def test_a_label_without_an_image_is_named(tmp_path):
    source = yolo(tmp_path, "")
    text(source / "labels/train/c.txt", "")
    with pytest.raises(DataError, match=r"c\.txt: there is no image of this label"):
        YOLO.read(source)


def test_no_labels_at_all_are_no_clean_data_set(tmp_path):
    with pytest.raises(DataError, match="there are no text files in a folder 'labels'"):
        YOLO.read(yolo(tmp_path, None))


def test_no_images_are_named(tmp_path):
    text(tmp_path / "data.yaml", "names: [a]")
    with pytest.raises(DataError, match="there are no images in a folder 'images'"):
        YOLO.read(tmp_path)


def test_a_label_that_is_no_text_is_named(tmp_path):
    source = yolo(tmp_path, "")
    (source / "labels/train/a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"a\.txt: is no text in UTF-8"):
        painted(YOLO.read(source), "a", SHAPE)


def test_a_missing_names_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no data\.yaml"):
        YOLO.read(tmp_path)
