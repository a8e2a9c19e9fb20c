from pathlib import Path

import numpy as np

from stripscan.dataset.public import PublicOverlap, public_overlaps
from stripscan.dataset.samples import LabelKind, Sample
from stripscan.dataset.sources import SourceMatch


def sample(name: str) -> Sample:
    return Sample(
        name=name,
        dataset=name.partition("/")[0],
        image=Path("none.png"),
        label=None,
        kind=LabelKind.MASK,
    )


def matched(pictures: list[int], shared: list[tuple[int, int]]) -> SourceMatch:
    return SourceMatch(
        picture=np.array(pictures),
        group=np.zeros(len(pictures), np.int64),
        shared=np.array(shared, np.int64).reshape(-1, 2),
    )


def test_twins_and_shared_metal_of_a_public_split_are_counted():
    samples = [
        sample(name)
        for name in ("s/training/a", "s/training/b", "s/test/c", "s/test/d", "s/test/e", "s/test/f")
    ]
    # c is b, turned; d is composed of a and more; e shares metal with d, not with training.
    match = matched([0, 1, 1, 2, 3, 4], [(0, 2), (2, 3)])

    assert public_overlaps(samples, match) == [
        PublicOverlap(dataset="s", n_train=2, n_test=4, n_twins=1, n_shared=2)
    ]


def test_a_twin_in_another_data_set_does_not_count():
    samples = [sample(name) for name in ("det/a", "s/test/a", "s/training/b", "t/training/a")]

    assert public_overlaps(samples, matched([0, 0, 1, 0], [])) == [
        PublicOverlap(dataset="s", n_train=1, n_test=1, n_twins=0, n_shared=0)
    ]


def test_without_a_public_split_there_is_nothing_to_tell():
    assert public_overlaps([sample("mine/a"), sample("mine/b")], matched([0, 0], [])) == []
