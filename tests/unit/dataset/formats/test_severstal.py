import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.severstal import SEVERSTAL
from unit.dataset.formats.foreign_samples import painted, picture, severstal

SHAPE = (256, 1600)
HEADER = "ImageId,ClassId,EncodedPixels\n"


def test_runs_go_down_the_columns_and_an_image_without_a_row_is_clean(tmp_path):
    source = severstal(tmp_path, HEADER + "a.png,3,255 4\na.png,1,409600 1\n")
    foreign = SEVERSTAL.read(source)
    mask = painted(foreign, "a", SHAPE, {"3": "scratches"})
    assert mask[254:, 0].tolist() == [6, 6]
    assert mask[:2, 1].tolist() == [6, 6]
    assert mask[255, 1599] == 255
    assert (mask != 0).sum() == 5
    assert not painted(foreign, "b", SHAPE).any()
    assert "no official names" in foreign.note


def test_the_older_table_has_a_row_for_each_class(tmp_path):
    rows = "ImageId_ClassId,EncodedPixels\na.png_1,\na.png_2,1 2\na.png_3,\na.png_4,\nb.png_1,\n"
    mask = painted(SEVERSTAL.read(severstal(tmp_path, rows)), "a", SHAPE, {"2": "patches"})
    assert mask[:3, 0].tolist() == [3, 3, 0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "line 1: the columns are missing; expected ImageId,ClassId,EncodedPixels or"),
        ("image,runs\n", "line 1: the columns are image,runs"),
        (HEADER + "a.png,3\n", "line 2: has 2 fields, the header has 3"),
        (HEADER + "a.png,5,1 1\n", "line 2: the class of 'a.png' is '5'"),
        (HEADER + "\na.png,3,1 1\na.png,3,5 1\n", "line 4: class 3 of a.png has a row already"),
        (HEADER + "c.png,3,1 1\n", "line 2: c.png is not in train_images/"),
    ],
)
def test_faults_of_the_table_have_their_line(tmp_path, rows, said):
    with pytest.raises(DataError) as error:
        SEVERSTAL.read(severstal(tmp_path, rows))
    assert f"{tmp_path / 'train.csv'}, {said}" in str(error.value)


def test_faults_of_runs_have_their_line(tmp_path):
    foreign = SEVERSTAL.read(severstal(tmp_path, HEADER + "b.png,2,1 1\na.png,3,5 2 6 1\n"))
    with pytest.raises(DataError, match=r"train\.csv, line 3: run 2 \(6 1\) overlaps"):
        painted(foreign, "a", SHAPE)


def test_an_image_of_another_size_is_refused(tmp_path):
    source = severstal(tmp_path, HEADER)
    picture(source / "train_images/a.png", height=128, width=800)
    with pytest.raises(DataError, match="800 x 128 px, Severstal's have 1600 x 256 px"):
        painted(SEVERSTAL.read(source), "a", (128, 800))


def test_a_table_that_is_no_text_is_named(tmp_path):
    (severstal(tmp_path, HEADER) / "train.csv").write_bytes(HEADER.encode() + b"\xff\xfe\n")
    with pytest.raises(DataError, match=r"train\.csv: is no CSV file in UTF-8"):
        SEVERSTAL.read(tmp_path)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"train\.csv: cannot be read"):
        SEVERSTAL.read(tmp_path)
