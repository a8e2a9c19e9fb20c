import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.yolo_names import read_names
from unit.dataset.formats.foreign_samples import text

WAYS = {
    "list on a line": "names: ['oil spot', \"rust\", rolled-in_scale]  # three",
    "list over lines": "names: [\n  'oil spot',\n  rust, # brown\n  rolled-in_scale,\n]\nnc: 3",
    "list of lines": "names:\n- oil spot\n- 'rust'\n- rolled-in_scale\nnc: 3",
    "indented": "names:\n  - oil spot\n\n  - rust # brown\n  - rolled-in_scale",
    "map of lines": "nc: 3\nnames:\n  0: oil spot\n  2: rolled-in_scale\n  1: rust\ntrain: images",
    "map on a line": "names: {0: oil spot, 1: rust, 2: 'rolled-in_scale'}",
}


@pytest.mark.parametrize("content", WAYS.values(), ids=WAYS)
def test_names_in_all_ways(tmp_path, content):
    assert read_names(text(tmp_path / "data.yaml", content)) == (
        "oil spot",
        "rust",
        "rolled-in_scale",
    )


def test_quotes_inside_quotes_and_commas(tmp_path):
    file = text(tmp_path / "data.yaml", "names: ['it''s', 'a, b']")
    assert read_names(file) == ("it's", "a, b")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nc: 3", "there is no 'names'"),
        ("names:", r"line 1: the names must be numbered from 0 without a gap; found none"),
        ("names: []", "found none"),
        ("names:\n  0: a\n  2: b", "found 0, 2"),
        ("names:\n  0: a\n  0: b", "found 0, 0"),
        ("names: &x [a]", "line 1: '&x .a.' cannot be read; write the names as"),
        ("names: [a, b", "cannot be read"),
        ("names:\n  - [a]", r"line 2: '\[a\]' cannot be read"),
        ("names: ['a]", "cannot be read"),
        ("names: [a, a]", "two classes have the same name"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, content, said):
    with pytest.raises(DataError, match=rf"data\.yaml.*{said}"):
        read_names(text(tmp_path / "data.yaml", content))
