"""Splits that keep all pictures of the same metal on one side."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import ConfigError, DataError
from stripscan.contract.files import write_file
from stripscan.dataset.images import pixel_digest, read_mono
from stripscan.dataset.neu import NEU_DET, NEU_SEG
from stripscan.dataset.samples import LabelKind, Sample, classes_of
from stripscan.dataset.sources import (
    SAME_PICTURE,
    SourceMatch,
    group_sources,
    match_sources,
    same_orientation,
)

__all__ = [
    "SourceMatch",
    "Split",
    "SplitProtocol",
    "best_label",
    "changed",
    "group_sources",
    "leaked",
    "match_sources",
    "read_split",
    "split_as_original",
    "split_by_source",
    "write_split",
]

PARTS: Final = ("train", "val", "test")

_ORIGINAL_FOLDER = "Validation_Images"
_ORIGINAL_PER_CLASS = 5
_ORIGINAL_TEST = 0.3


class SplitProtocol(StrEnum):
    """How a split was drawn."""

    SOURCE = "source"
    """By source: the same metal never lies on two sides."""
    NEU_ORIGINAL = "neu-original"
    """By image, as the project did that published on NEU-DET: nothing keeps metal together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Names of the samples on each side, sorted.

    Attributes:
        train: To learn from.
        val: To choose by.
        test: To report on, once.
        pixels: ``pixel_digest`` of each image by sample name; empty where not computed.
        protocol: How it was drawn.
        digest: 16 hex digits that identify names, sides, pixels and protocol.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    pixels: Mapping[str, str] = field(default_factory=dict)
    protocol: SplitProtocol = SplitProtocol.SOURCE
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        content: list[object] = [self.train, self.val, self.test, dict(self.pixels)]
        # Files that were written before there were protocols keep their digest.
        if self.protocol is not SplitProtocol.SOURCE:
            content.append(self.protocol)
        text = json.dumps(content, sort_keys=True)
        object.__setattr__(self, "digest", hashlib.sha256(text.encode()).hexdigest()[:16])


def split_by_source(
    samples: Sequence[Sample],
    groups: NDArray[np.int64],
    *,
    seed: int,
    test: float = 0.15,
    val: float = 0.1,
) -> Split:
    """Draw whole groups into train, val and test.

    Groups are drawn separately by the class that most of their labels show and by whether they
    have a pixel mask, so that each side has its share. The result depends on the names and the
    groups only, not on their order.

    Args:
        samples: All samples.
        groups: int64 ``[n]`` from ``group_sources``.
        seed: Seed of the draw.
        test: Share of the groups for the test, 0-1.
        val: Share of the groups for validation, 0-1.

    Raises:
        ConfigError: The shares leave nothing to train on.
        DataError: A picture or a label cannot be read.
    """
    if test < 0 or val < 0 or test + val >= 1:
        raise ConfigError(
            f"test {test} and val {val} must not be negative and must leave a share for training: "
            f"their sum must be below 1"
        )
    members = _members(groups)
    strata: dict[tuple[str, bool], list[list[str]]] = defaultdict(list)
    for indices in members:
        group = [samples[i] for i in indices]
        strata[_stratum(group)].append(sorted(sample.name for sample in group))
    sides: dict[str, list[str]] = {part: [] for part in PARTS}
    rng = np.random.default_rng(seed)
    for key in sorted(strata):
        drawn = sorted(strata[key])
        order = rng.permutation(len(drawn)).tolist()
        n_test = round(test * len(drawn))
        n_val = round(val * len(drawn))
        for position, index in enumerate(order):
            part = "test" if position < n_test else "val" if position < n_test + n_val else "train"
            sides[part] += drawn[index]
    return _with_pixels(sides, samples, SplitProtocol.SOURCE)


def split_as_original(samples: Sequence[Sample], *, seed: int) -> Split:
    """Divide NEU-DET by image, to compare with what was published on such splits.

    The 30 images that the original project put into ``Validation_Images`` are the validation, or
    five images of each class where there is no such folder. Of the others 70 % are for training
    and 30 % for the test. Other data sets are left out. The result does not depend on the order of
    the samples.

    Args:
        samples: All samples.
        seed: Seed of the draw.

    Raises:
        DataError: There is no NEU-DET among the samples, or too little of it.
    """
    names = sorted(s.name for s in samples if s.dataset == NEU_DET)
    rng = np.random.default_rng(seed)
    val = {s.name for s in samples if s.image.parent.name == _ORIGINAL_FOLDER} & set(names)
    if not val:
        by_class: dict[str, list[str]] = defaultdict(list)
        for name in names:
            by_class[name.rpartition("_")[0]].append(name)
        for key in sorted(by_class):
            val |= set(rng.permutation(by_class[key])[:_ORIGINAL_PER_CLASS].tolist())
    rest = rng.permutation([name for name in names if name not in val]).tolist()
    n_test = round(_ORIGINAL_TEST * len(rest))
    if not n_test:
        raise DataError(
            f"the data folder holds {len(names)} images of NEU-DET; the protocol "
            f"'{SplitProtocol.NEU_ORIGINAL}' divides those, and needs more than it sets aside"
        )
    sides = {"train": rest[n_test:], "val": [*val], "test": rest[:n_test]}
    return _with_pixels(sides, samples, SplitProtocol.NEU_ORIGINAL)


def leaked(
    split: Split,
    samples: Sequence[Sample],
    groups: NDArray[np.int64],
    *,
    accept_protocol: bool = False,
) -> None:
    """Check that no group lies on two sides, and no sample is on two sides.

    Args:
        split: The split.
        samples: All samples.
        groups: int64 ``[n]`` from ``group_sources``.
        accept_protocol: Let a split pass that says itself that it was not drawn by source.

    Raises:
        DataError: It does, and the message names two of the images; or the split was not drawn by
            source and that was not accepted.
    """
    side = {name: part for part in PARTS for name in getattr(split, part)}
    if len(side) != len(split.train) + len(split.val) + len(split.test):
        twice = Counter([*split.train, *split.val, *split.test]).most_common(1)[0][0]
        raise DataError(f"'{twice}' is in the split more than once")
    if split.protocol is not SplitProtocol.SOURCE:
        if accept_protocol:
            return
        raise DataError(
            f"the split was drawn by image, by the protocol '{split.protocol}': nothing keeps the "
            f"same metal on one side. Draw it by source, with --protocol {SplitProtocol.SOURCE}, "
            f"or, to compare with what was published on such splits, train with --set "
            f"data.leaky_split=true"
        )
    for indices in _members(groups):
        placed = [samples[i].name for i in indices if samples[i].name in side]
        for name in placed[1:]:
            if side[name] != side[placed[0]]:
                raise DataError(
                    f"the split leaks: '{placed[0]}' ({side[placed[0]]}) and '{name}' "
                    f"({side[name]}) show the same metal; draw the split by source again"
                )


def changed(split: Split, samples: Sequence[Sample]) -> None:
    """Check that the images are those that the split was drawn from.

    Raises:
        DataError: An image of the split is not among the samples, or has other pixels.
    """
    by_name = {sample.name: sample for sample in samples}
    for name in (*split.train, *split.val, *split.test):
        if name not in by_name:
            raise DataError(f"the split names '{name}', which is not in the data folder")
        expected = split.pixels.get(name)
        if expected and pixel_digest(read_mono(by_name[name].image)) != expected:
            raise DataError(
                f"{by_name[name].image}: the pixels differ from those that the split was drawn "
                f"from; restore the image or draw the split again"
            )


def write_split(path: Path, split: Split) -> None:
    """Write a split as JSON; the file is whole or not there.

    Raises:
        StoreError: It cannot be written.
    """
    content = {
        "schema": 1,
        "digest": split.digest,
        **({"protocol": split.protocol} if split.protocol is not SplitProtocol.SOURCE else {}),
        **{part: list(getattr(split, part)) for part in PARTS},
        "pixels": dict(sorted(split.pixels.items())),
    }
    write_file(path, json.dumps(content, indent=1).encode())


def read_split(path: Path) -> Split:
    """Read what ``write_split`` wrote.

    Raises:
        DataError: The file cannot be read, is no split, or was changed by hand.
    """
    try:
        content = json.loads(path.read_bytes())
        split = Split(
            train=tuple(map(str, content["train"])),
            val=tuple(map(str, content["val"])),
            test=tuple(map(str, content["test"])),
            pixels={str(k): str(v) for k, v in content["pixels"].items()},
            protocol=SplitProtocol(content.get("protocol", SplitProtocol.SOURCE)),
        )
        expected = content["digest"]
    except OSError as error:
        raise DataError(f"{path}: the split cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: this is no split file ({error!r})") from error
    if split.digest != expected:
        raise DataError(
            f"{path}: the split was changed after it was drawn (digest {split.digest}, the file "
            f"says {expected}); draw it again"
        )
    return split


def best_label(samples: Sequence[Sample], pictures: NDArray[np.int64]) -> list[Sample]:
    """Choose one sample per picture, the one with the best label.

    The mask of NEU-Seg before other masks before boxes. Of the four rotations in NEU-Seg the one
    that lies as in NEU-DET is taken, where NEU-DET has the picture; its boxes then come along.

    Args:
        samples: All samples.
        pictures: int64 ``[n]``, ``SourceMatch.picture``. Groups may be given as well, for fewer
            samples that share nothing.

    Returns:
        The chosen samples, sorted by name.

    Raises:
        DataError: A picture cannot be read.
    """
    chosen = [_best([samples[i] for i in indices]) for indices in _members(pictures)]
    return sorted(chosen, key=lambda sample: sample.name)


def _with_pixels(
    sides: Mapping[str, Sequence[str]], samples: Sequence[Sample], protocol: SplitProtocol
) -> Split:
    drawn = {name for names in sides.values() for name in names}
    return Split(
        train=tuple(sorted(sides["train"])),
        val=tuple(sorted(sides["val"])),
        test=tuple(sorted(sides["test"])),
        pixels={s.name: pixel_digest(read_mono(s.image)) for s in samples if s.name in drawn},
        protocol=protocol,
    )


def _best(group: list[Sample]) -> Sample:
    ranked = sorted(group, key=lambda sample: (_rank(sample), sample.name))
    rivals = [sample for sample in ranked if _rank(sample) == _rank(ranked[0])]
    boxed = [sample for sample in group if sample.kind is LabelKind.BOXES]
    if not boxed or rivals[0].kind is LabelKind.BOXES:
        return rivals[0]
    upright = min(boxed, key=lambda sample: sample.name)
    reference = read_mono(upright.image)
    alike = [same_orientation(read_mono(sample.image), reference) for sample in rivals]
    best = int(np.argmax(alike))
    if alike[best] < SAME_PICTURE:
        return rivals[0]
    return replace(rivals[best], boxes=upright.label)


def _rank(sample: Sample) -> int:
    if sample.kind is LabelKind.BOXES:
        return 2
    return 0 if sample.dataset == NEU_SEG else 1


def _stratum(group: list[Sample]) -> tuple[str, bool]:
    votes = Counter(name for sample in group for name in sorted(classes_of(sample)))
    most = min(votes, key=lambda name: (-votes[name], name)) if votes else ""
    return most, any(sample.kind is LabelKind.MASK for sample in group)


def _members(groups: NDArray[np.int64]) -> list[list[int]]:
    """Return the indices of each group."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(groups.tolist()):
        members[number].append(index)
    return list(members.values())
