import numpy as np
import pytest

from stripscan.dataset.formats.runs import mask_of_counts, mask_of_pairs, parse_counts


def test_pairs_count_from_one_down_the_columns():
    mask = mask_of_pairs("1 1 4 3", (3, 2))
    assert mask.astype(int).tolist() == [[1, 1], [0, 1], [0, 1]]


def test_no_pairs_are_no_defect():
    assert not mask_of_pairs(" ", (3, 2)).any()


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ("1 2 x 3", "'x' is no whole number"),
        ("1 -2", "'-2' is no whole number"),
        ("1 ²", "no whole number"),
        ("1 2 4", "3 numbers are no pairs"),
        ("0 2", r"run 1 \(0 2\) is empty or outside the image of 2 x 3 px.*1 to 6"),
        ("2 0", r"run 1 \(2 0\) is empty"),
        ("1 1 5 3", r"run 2 \(5 3\) is empty or outside"),
        (f"1 {'9' * 5000}", "outside"),
        ("1 3 3 1", r"run 2 \(3 1\) overlaps the run before it"),
        ("4 1 1 1", "out of order"),
    ],
)
def test_impossible_pairs_are_named(pairs, said):
    with pytest.raises(ValueError, match=said):
        mask_of_pairs(pairs, (3, 2))


def test_compressed_counts_are_those_of_pycocotools():
    """The text is what pycocotools 2.0 encodes of the mask."""
    mask = np.zeros((5, 9), bool)
    mask[1:4, 2:7] = True
    mask[0, 8] = True
    counts = parse_counts(";3200000004NN")
    assert counts == [11, 3, 2, 3, 2, 3, 2, 3, 2, 3, 6, 1, 4]
    assert np.array_equal(mask_of_counts(counts, (5, 9)), mask)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2", r"character 2 \(' '\)"),
        ("1é", r"character 2 \('é'\)"),
        ("1o", "end inside a number"),
        ("o" * 200, "character 14"),
    ],
)
def test_broken_compressed_counts_are_named(text, said):
    with pytest.raises(ValueError, match=said):
        parse_counts(text)


@pytest.mark.parametrize("counts", [[], [5], [7], [1, 2, 4], [8, -2]])
def test_counts_must_fill_the_image(counts):
    with pytest.raises(ValueError, match="add up to the 6 pixels"):
        mask_of_counts(counts, (3, 2))
