import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stripscan.contract.rle import runs_of
from stripscan.runtime.store_records import join_runs, pack_runs, unpack_runs

masks = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 40)), elements=st.integers(0, 1)
)
lines = st.integers(0, 2**50)


@given(mask=masks, first_line=lines)
def test_packed_runs_come_back_exactly(mask: np.ndarray, first_line: int) -> None:
    runs = runs_of(mask, first_line=first_line)
    back = unpack_runs(pack_runs(runs))
    assert back.dtype == np.int64
    assert back.tolist() == runs.tolist()


@given(mask=masks, first_line=lines, cut=st.integers(0, 12))
def test_parts_in_any_order_join_to_the_whole(mask: np.ndarray, first_line: int, cut: int) -> None:
    whole = runs_of(mask, first_line=first_line)
    head = runs_of(mask[:cut], first_line=first_line)
    tail = runs_of(mask[cut:], first_line=first_line + min(cut, len(mask)))
    assert join_runs([tail, head]).tolist() == whole.tolist()


def test_a_textured_mask_takes_a_third_of_its_plain_integers() -> None:
    mask = np.random.default_rng(0).random((200, 200)) < 0.2
    runs = runs_of(mask)
    assert len(pack_runs(runs)) < runs.astype(np.int32).nbytes / 3


@pytest.mark.parametrize("packed", [b"12345678garbage", pack_runs(np.array([[1, 2, 3]]))[:-6]])
def test_damaged_bytes_are_a_value_error(packed: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        unpack_runs(packed)
