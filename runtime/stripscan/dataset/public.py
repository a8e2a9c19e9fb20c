"""Holds the splits that public data sets bring against the metal that their pictures show."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stripscan.dataset.samples import Sample
from stripscan.dataset.sources import SourceMatch

PUBLIC_PARTS: Final = ("training", "test")
"""Parts of a public split, as the second part of a sample's name: ``neu-seg/test/000012``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicOverlap:
    """How many test images of a public split show what its training part shows.

    Attributes:
        dataset: Name of the data set.
        n_train: Images in its training part.
        n_test: Images in its test part.
        n_twins: Test images of which the training part holds the same picture, as it lies, rotated
            or flipped.
        n_shared: Test images that share metal with a training image; twins are among them.
    """

    dataset: str
    n_train: int
    n_test: int
    n_twins: int
    n_shared: int


def public_overlaps(samples: Sequence[Sample], match: SourceMatch) -> list[PublicOverlap]:
    """Look at each data set that brings a public split.

    Args:
        samples: All samples.
        match: What ``match_sources`` found for them.

    Returns:
        One for each data set with a training and a test part, by name.
    """
    parts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for sample, picture in zip(samples, match.picture.tolist(), strict=True):
        dataset, part, *rest = sample.name.split("/")
        if rest and part in PUBLIC_PARTS:
            parts[dataset][part].append(picture)
    beside: dict[int, set[int]] = defaultdict(set)
    for first, second in match.shared.tolist():
        beside[first].add(second)
        beside[second].add(first)
    return [
        _overlap(name, of["training"], of["test"], beside)
        for name, of in sorted(parts.items())
        if len(of) == len(PUBLIC_PARTS)
    ]


def _overlap(
    dataset: str, train: list[int], test: list[int], beside: dict[int, set[int]]
) -> PublicOverlap:
    seen = set(train)
    metal = seen.union(*(beside.get(picture, ()) for picture in seen))
    return PublicOverlap(
        dataset=dataset,
        n_train=len(train),
        n_test=len(test),
        n_twins=sum(picture in seen for picture in test),
        n_shared=sum(picture in metal for picture in test),
    )
