import pytest

from stripscan.contract.paths import check_distinct, safe_name

UNSAFE = [
    "",
    ".",
    "..",
    "../x",
    "a/../b",
    "a/..",
    "./a",
    "/etc/passwd",
    "//host/share",
    "a//b",
    "a/",
    "a\\b",
    "..\\x",
    "C:x",
    "C:/x",
    ".hidden",
    "a/.hidden",
    "a\0b",
    "a\nb",
    "a\n",
    "a b",
    "~root",
    "é.onnx",
    "a" * 241,
]


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_name_is_refused(name):
    with pytest.raises(ValueError, match="file name"):
        safe_name(name)


@pytest.mark.parametrize("name", ["model.onnx", "golden/1/frame_1.png", "a+b-c..d", "a" * 240])
def test_a_safe_name_is_kept(name):
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "names", [["a.onnx", "A.onnx"], ["a", "a/b"], ["a/b/c", "b", "a"], ["X/y", "x"]]
)
def test_names_that_collide_are_refused(names):
    with pytest.raises(ValueError, match="rename one"):
        check_distinct(names)


def test_files_side_by_side_in_folders_are_fine():
    check_distinct(["a/b", "a/c", "ab", "b"])
