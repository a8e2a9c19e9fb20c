from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import LabelKind, load


def picture(path: Path, value: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((4, 4), value, np.uint8))


def voc(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<annotation/>")


def neu_det(root: Path) -> None:
    picture(root / "IMAGES/inclusion_7.jpg")
    voc(root / "ANNOTATIONS/inclusion_7.xml")
    picture(root / "Validation_Images/crazing_2.jpg")
    voc(root / "Validation_Annotations/crazing_2.xml")


def neu_seg(root: Path) -> None:
    for part, stem in (("training", "000201"), ("test", "000001")):
        picture(root / f"images/{part}/{stem}.jpg")
        picture(root / f"annotations/{part}/{stem}.png", 3)


def sd_saliency(root: Path) -> None:
    picture(root / "Source Images/Pa_9.bmp")
    picture(root / "Ground truth/Pa_9.png", 255)


def test_all_layouts_in_one_folder(tmp_path):
    neu_det(tmp_path / "neu-det")
    neu_seg(tmp_path / "neu-seg")
    sd_saliency(tmp_path / "sd-saliency-900")
    picture(tmp_path / "mine/images/left.tif")
    picture(tmp_path / "mine/masks/left.png", 5)
    (tmp_path / "notes").mkdir()

    samples = {s.name: s for s in find_samples(tmp_path)}

    assert list(samples) == [
        "mine/left",
        "neu-det/crazing_2",
        "neu-det/inclusion_7",
        "neu-seg/test/000001",
        "neu-seg/training/000201",
        "sd-saliency-900/Pa_9",
    ]
    assert samples["neu-det/crazing_2"].kind is LabelKind.BOXES
    shown = {
        name: np.flatnonzero(load(s).target.any(axis=(1, 2))).tolist()
        for name, s in samples.items()
    }
    assert shown["mine/left"] == [4]
    assert shown["neu-seg/test/000001"] == [5]
    assert shown["sd-saliency-900/Pa_9"] == [2]


@pytest.mark.parametrize(("make", "count"), [(neu_det, 2), (neu_seg, 2), (sd_saliency, 1)])
def test_the_folder_may_be_the_data_set_itself(tmp_path, make, count):
    make(tmp_path)

    assert len(find_samples(tmp_path)) == count


def test_an_image_without_annotation_is_named(tmp_path):
    neu_det(tmp_path)
    picture(tmp_path / "IMAGES/patches_3.jpg")

    with pytest.raises(DataError, match=r"patches_3\.jpg.*no annotation"):
        find_samples(tmp_path)


def test_other_files_are_left_alone(tmp_path):
    neu_det(tmp_path)
    (tmp_path / "IMAGES/Thumbs.db").write_bytes(b"x")

    assert len(find_samples(tmp_path)) == 2


def test_an_empty_folder_names_the_layouts(tmp_path):
    with pytest.raises(DataError, match=r"NEU-DET.*NEU-Seg.*SD-saliency-900.*masks/"):
        find_samples(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        find_samples(tmp_path / "nowhere")


def test_two_images_of_one_name_are_refused(tmp_path):
    for suffix in ("png", "bmp"):
        picture(tmp_path / f"images/a.{suffix}")
    picture(tmp_path / "masks/a.png", 0)

    with pytest.raises(DataError, match=r"two images are named.*/a'"):
        find_samples(tmp_path)


def test_a_saliency_image_without_class_is_named(tmp_path):
    picture(tmp_path / "Source Images/Xx_1.bmp")
    picture(tmp_path / "Ground truth/Xx_1.png", 255)

    with pytest.raises(DataError, match=r"Xx_1\.bmp"):
        find_samples(tmp_path)
