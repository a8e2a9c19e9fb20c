import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stripscan.dataset.samples import LabelKind, Sample
from stripscan.dataset.split import leaked, split_by_source


@pytest.fixture(scope="module")
def samples():
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for i in range(24):
            image = Path(folder) / f"{i:02}.png"
            cv2.imwrite(str(image), np.full((4, 4), i % 7, np.uint8))
            made.append(
                Sample(name=f"x/{i:02}", dataset="x", image=image, label=image, kind=LabelKind.MASK)
            )
        yield made


@settings(max_examples=40, deadline=None)
@given(
    groups=st.lists(st.integers(0, 12), min_size=24, max_size=24),
    seed=st.integers(0, 2**32),
    test=st.floats(0, 0.5),
    val=st.floats(0, 0.4),
)
def test_a_split_never_leaks_and_never_loses(samples, groups, seed, test, val):
    numbers = np.array(groups)

    split = split_by_source(samples, numbers, seed=seed, test=test, val=val)

    leaked(split, samples, numbers)
    assert sorted([*split.train, *split.val, *split.test]) == [s.name for s in samples]
