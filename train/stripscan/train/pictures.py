"""What a run learns from and chooses by."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stripscan.contract.errors import DataError
from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import Sample
from stripscan.dataset.split import Split, best_label, changed, leaked, match_sources
from stripscan.train.run_folder import digest_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """One sample per picture, the one with the best label.

    Attributes:
        train: To learn from.
        val: To choose by.
        digest: Identifies both, with their labels.
    """

    train: list[Sample]
    val: list[Sample]
    digest: str


def choose(data: Path, split: Split, *, leaky_split: bool = False) -> Pictures:
    """Return the pictures of both parts; the test part is not looked at.

    Args:
        data: Folder with the data sets.
        split: What to learn from and to choose by.
        leaky_split: Accept a split of a protocol that is known to leak.

    Raises:
        DataError: Data and split do not fit, the split leaks, or a part of it is empty.
    """
    train, val = parts_of(data, split, ("train", "val"), leaky_split=leaky_split)
    return Pictures(train=train, val=val, digest=digest_of([*train, *val]))


def parts_of(
    data: Path, split: Split, parts: Sequence[str], *, leaky_split: bool = False
) -> list[list[Sample]]:
    """Return the pictures of parts of a split, one sample of each picture.

    Args:
        data: Folder with the data sets.
        split: The split.
        parts: Out of ``train``, ``val`` and ``test``.
        leaky_split: Accept a split of a protocol that is known to leak.

    Raises:
        DataError: Data and split do not fit, the split leaks, or a part of it is empty.
    """
    samples = find_samples(data)
    changed(split, samples)
    match = match_sources(samples)
    leaked(split, samples, match.group, accept_protocol=leaky_split)
    sides = []
    for part in parts:
        wanted = set(getattr(split, part))
        indices = [i for i, sample in enumerate(samples) if sample.name in wanted]
        if not indices:
            raise DataError(f"the {part} part of the split is empty")
        chosen = best_label([samples[i] for i in indices], match.picture[indices])
        logger.info("%s: %d pictures of %d files", part, len(chosen), len(indices))
        sides.append(chosen)
    return sides
