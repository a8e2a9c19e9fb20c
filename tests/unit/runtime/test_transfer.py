import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripscan.contract.errors import DataError
from stripscan.runtime.conditioning.transfer import Transfer, to_uint8


@pytest.mark.parametrize(
    ("bits", "transfer", "value", "grey"),
    [
        (12, "linear", 4095, 255),
        (12, "linear", 8, 0),  # 0.498
        (12, "linear", 9, 1),  # 0.56
        (12, "linear", 2048, 128),  # 127.53
        (10, "linear", 2, 0),
        (16, "linear", 257 * 100, 100),
        (16, "linear", 128, 0),  # 0.498
        (16, "linear", 129, 1),
        (8, "linear", 77, 77),
        (12, "sqrt", 1, 4),  # 255 / sqrt(4095) = 3.98
        (12, "sqrt", 3, 7),
        (12, "sqrt", 1024, 128),  # 127.52
        (14, "sqrt", 16383, 255),
    ],
)
def test_values_by_hand(bits: int, transfer: Transfer, value: int, grey: int) -> None:
    pixels = np.array([[value]], np.uint16)
    assert to_uint8(pixels, bits=bits, transfer=transfer).tolist() == [[grey]]


@given(st.sampled_from([10, 12, 14, 16]), st.sampled_from(["linear", "sqrt"]))
def test_a_curve_never_falls_and_spans_all_greys(bits: int, transfer: Transfer) -> None:
    grey = to_uint8(np.arange(2**bits).astype(np.uint16), bits=bits, transfer=transfer)
    assert grey.dtype == np.uint8
    assert np.all(np.diff(grey.astype(int)) >= 0)
    assert (grey[0], grey[-1]) == (0, 255)


def test_a_value_above_the_bits_does_not_wrap() -> None:
    with pytest.raises(DataError, match=r"grey value 4096, more than 12 bits hold \(0 to 4095\)"):
        to_uint8(np.array([[4096]], np.uint16), bits=12)
    assert to_uint8(np.empty((0, 4), np.uint16), bits=12).shape == (0, 4)
