from pathlib import Path

import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.foreign import name_images, pictures_in, same_names
from unit.dataset.formats.foreign_samples import picture, text


def test_stems_are_names_where_they_differ():
    paths = [Path("set/train/a.png"), Path("set/test/b.png")]
    assert list(name_images(paths).values()) == ["a", "b"]


def test_stems_that_differ_in_letter_case_alone_get_their_folder():
    paths = [Path("set/train/A.png"), Path("set/test/a.png")]
    assert list(name_images(paths).values()) == ["train_A", "test_a"]


def test_two_files_that_cannot_be_told_apart_are_named():
    with pytest.raises(DataError, match=r"a\.png: would be called 'a', as set/a\.bmp is"):
        name_images([Path("set/a.bmp"), Path("set/a.png")])


def test_pictures_lie_in_sub_folders_and_are_not_hidden(tmp_path):
    picture(tmp_path / "b/1.png")
    picture(tmp_path / "a.png")
    picture(tmp_path / ".cache/2.png")
    text(tmp_path / "._a.png", "what macOS leaves on foreign disks")
    assert pictures_in(tmp_path) == [tmp_path / "a.png", tmp_path / "b/1.png"]


def test_our_classes_are_known_in_any_spelling():
    assert same_names(["Pitted Surface", "rolled_in-scale", "rust"]) == {
        "Pitted Surface": "pitted_surface",
        "rolled_in-scale": "rolled-in_scale",
    }
