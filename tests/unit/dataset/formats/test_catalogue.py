from pathlib import Path

import pytest

from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.formats.catalogue import FORMATS, choose_format
from unit.dataset.formats.foreign_samples import (
    coco,
    masks,
    picture,
    severstal,
    text,
    voc,
    voc_text,
    yolo,
)


def neu_det(folder: Path) -> None:
    picture(folder / "IMAGES/a.jpg")
    text(folder / "ANNOTATIONS/a.xml", voc_text())


def neu_seg(folder: Path) -> None:
    picture(folder / "images/training/a.jpg")
    picture(folder / "annotations/training/a.png", value=2)


def sd_saliency(folder: Path) -> None:
    picture(folder / "Source Images/In_1.bmp")
    picture(folder / "Ground truth/In_1.png", value=255)


MAKERS = {
    "neu-det": neu_det,
    "neu-seg": neu_seg,
    "sd-saliency": sd_saliency,
    "severstal": lambda folder: severstal(folder, "ImageId,ClassId,EncodedPixels\n"),
    "coco": coco,
    "yolo": lambda folder: yolo(folder, ""),
    "masks": lambda folder: masks(folder, [[0, 1]]),
    "voc": voc,
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_found_by_what_lies_there(tmp_path, name):
    MAKERS[name](tmp_path)
    assert choose_format(tmp_path).name == name


@pytest.mark.parametrize("name", ["neu-det", "neu-seg", "sd-saliency"])
def test_the_neu_family_is_read_as_it_is_where_it_lies(tmp_path, name):
    MAKERS[name](tmp_path)
    foreign = FORMATS[name].read(tmp_path)
    assert len(foreign.images) == 1
    assert foreign.mm_per_px == pytest.approx(0.3)


def test_an_unknown_folder_names_all_layouts(tmp_path):
    with pytest.raises(DataError) as error:
        choose_format(tmp_path)
    assert all(f"  {f.name}: {f.layout}" in str(error.value) for f in FORMATS.values())


def test_a_folder_in_two_formats_asks_which(tmp_path):
    coco(tmp_path)
    picture(tmp_path / "masks/a.png")
    with pytest.raises(ConfigError, match="looks like coco and masks; say which with --format"):
        choose_format(tmp_path)
    assert choose_format(tmp_path, "masks").name == "masks"


def test_an_unknown_format_gets_the_nearest_name(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'severstal'"):
        choose_format(tmp_path, "Severstahl")


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(DataError, match="gone: there is no such folder or file"):
        choose_format(tmp_path / "gone")
