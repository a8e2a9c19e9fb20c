from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stripscan.runtime.sources.folder import natural_key
from stripscan.runtime.sources.frames import Frame, FrameBuffer


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20, unique=True))
def test_names_that_end_in_numbers_sort_as_the_numbers(numbers: list[int]) -> None:
    names = [f"strip 7-{n}.png" for n in numbers]
    assert sorted(names, key=natural_key) == [f"strip 7-{n}.png" for n in sorted(numbers)]


@given(st.lists(st.text(max_size=8), max_size=8), st.randoms())
def test_the_order_of_any_names_is_total(names: list[str], random: Random) -> None:
    shuffled = random.sample(names, len(names))
    assert sorted(shuffled, key=natural_key) == sorted(names, key=natural_key)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 30))
def test_lost_and_new_lines_are_what_the_strip_moved(height: int, step: int, dropped: int) -> None:
    step = min(step, height)
    rows = np.repeat(np.arange(height, dtype=np.uint8)[:, None], 3, axis=1)
    lost, new = Frame(pixels=rows, host_ns=0, dropped_before=dropped).new_lines(step)
    assert lost + new.shape[0] == (dropped + 1) * step
    assert np.array_equal(new, rows[height - new.shape[0] :])
    assert lost == 0 or new.shape[0] == height


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=60))
def test_every_frame_is_taken_or_counted_as_dropped(depth: int, puts: list[bool]) -> None:
    buffer = FrameBuffer(name="camera", depth=depth, drop=True)
    put, waiting, taken = 0, 0, 0
    for is_put in puts:
        if is_put:
            buffer.put(np.full((1, 1), put, np.uint8))
            put, waiting = put + 1, min(waiting + 1, depth)
        elif waiting:
            frame = buffer.take(0)
            assert frame is not None
            taken, waiting = taken + frame.dropped_before + 1, waiting - 1
            assert int(frame.pixels[0, 0]) == taken - 1
    assert put - taken - waiting >= 0
