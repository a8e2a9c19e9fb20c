"""Finds which pictures show the same metal, so that a split can keep them together.

The public sets are full of twins: NEU-Seg has every picture in four rotations, SD-saliency-900
repeats NEU-DET, and about 210 pictures of NEU-Seg are composed of two others, one faded into the
other. A split that ignores this measures memory.

Two tests, both under the eight rotations and flips:

1. *Same picture*: the whole picture, without its slow changes of brightness, at 32 x 32. In the
   NEU family copies correlate above 0.985; the few pairs from 0.7 to 0.985 are composites, or
   scratches that run alike. Brightness itself misleads: with it, 472 pictures of NEU-DET correlate
   above 0.9 with one that shows other metal under the same light.
2. *Shared metal*: the grain of the metal, at 96 x 96 in 4 x 4 windows. Two pictures share metal
   where three windows at the same place correlate above 0.9. Grain is like a fingerprint: in the
   NEU family this joins 190 of the 209 composites to a picture that they are made of, and no two
   pictures without a composite between them. Parts that were moved or scaled are not found.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.dataset.images import pixel_digest, read_mono
from stripscan.dataset.neu import NEU_DET, SD_CLASSES, SD_SALIENCY
from stripscan.dataset.samples import Sample

SAME_PICTURE: Final = 0.97
"""Least correlation of two whole pictures that are the same."""

SHARED_METAL: Final = 0.9
"""Least correlation of the third best pair of windows of two pictures that share metal."""

_PICTURE_SIDE = 32
_GRAIN_SIDE = 96
_WINDOW_SIDE = 24
_WINDOWS_NEEDED = 3
_WORK_SIDE = 200  # px; scales of blur below are for pictures of this size
_CHUNK = 512
_FLAT_LEVELS = 0.1  # grey levels of contrast; below it there is only rounding to compare

Floats = NDArray[np.float32]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMatch:
    """Which samples belong together.

    Attributes:
        picture: int64 ``[n]``, a number per sample; equal for copies, rotations and flips of the
            same picture.
        group: int64 ``[n]``; equal also for pictures that share a part of their metal. Samples of
            one group must not be split.
    """

    picture: NDArray[np.int64]
    group: NDArray[np.int64]


def group_sources(samples: Sequence[Sample]) -> NDArray[np.int64]:
    """Return ``SourceMatch.group`` of the samples: what a split must keep together."""
    return match_sources(samples).group


def match_sources(samples: Sequence[Sample], *, scale_16bit: bool = False) -> SourceMatch:
    """Compare every picture with every other one.

    Takes about 15 s and 0.5 GB for the 6,463 pictures of the NEU family on two cores; time grows
    with the square of the number.

    Raises:
        DataError: A picture cannot be read.
    """
    pictures = np.empty((len(samples), _PICTURE_SIDE, _PICTURE_SIDE), np.float32)
    grains = np.empty((len(samples), _GRAIN_SIDE, _GRAIN_SIDE), np.float32)
    digests: list[str] = []
    for i, sample in enumerate(samples):
        image = read_mono(sample.image, scale_16bit=scale_16bit)
        pictures[i], grains[i] = _descriptors(image)
        digests.append(pixel_digest(image))
    union = _Union(len(samples))
    union.join_equal(digests)
    union.join_equal([_name_key(sample) for sample in samples])
    _join_similar(union, pictures, _whole, SAME_PICTURE)
    picture = union.numbers()
    _, first = np.unique(picture, return_index=True)
    shared = _Union(len(first))
    _join_similar(shared, grains[first], _windows, SHARED_METAL)
    group = shared.numbers()[picture]
    logger.info(
        "%d samples show %d pictures, %d of them without shared metal",
        len(samples),
        len(first),
        len(np.unique(group)),
    )
    return SourceMatch(picture=picture, group=group)


def same_orientation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return how far two pictures agree as they lie, -1 to 1: near 1 for an unturned copy."""
    a, b = (_unit(_descriptors(image)[0].reshape(1, -1)) for image in (first, second))
    return float((a @ b.T)[0, 0])


def _name_key(sample: Sample) -> str:
    """Return a key that SD-saliency-900's ``In_7`` and NEU-DET's ``inclusion_7`` share."""
    stem = sample.image.stem
    prefix, _, number = stem.partition("_")
    if sample.dataset == SD_SALIENCY and prefix in SD_CLASSES:
        return f"{NEU_DET}/{SD_CLASSES[prefix]}_{number}"
    return sample.name


def _descriptors(image: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Return the picture without slow brightness ``[32, 32]`` and its grain ``[96, 96]``."""
    work = image.astype(np.float32)
    if work.shape != (_WORK_SIDE, _WORK_SIDE):
        work = np.asarray(
            cv2.resize(work, (_WORK_SIDE, _WORK_SIDE), interpolation=cv2.INTER_AREA), np.float32
        )
    picture = cv2.GaussianBlur(work - cv2.GaussianBlur(work, (0, 0), 20), (0, 0), 1.5)
    grain = cv2.GaussianBlur(work, (0, 0), 1.0) - cv2.GaussianBlur(work, (0, 0), 4.0)
    return _shrink(picture, _PICTURE_SIDE), _shrink(grain, _GRAIN_SIDE)


def _shrink(image: NDArray[Any], side: int) -> Floats:
    shrunk = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float32)


def _unit(vectors: Floats) -> Floats:
    """Return vectors ``[..., d]`` with zero mean and unit norm, or zero where they are flat."""
    centred = vectors - vectors.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(centred, axis=-1, keepdims=True)
    flat = norm < _FLAT_LEVELS * np.sqrt(vectors.shape[-1])
    return np.asarray(np.where(flat, 0, centred / np.where(flat, 1, norm)), np.float32)


def _whole(images: Floats) -> Floats:
    """Return one window ``[1, n, side * side]``."""
    return _unit(images.reshape(1, len(images), -1))


def _windows(images: Floats) -> Floats:
    """Return ``[16, n, 24 * 24]`` windows of ``[n, 96, 96]``."""
    count = _GRAIN_SIDE // _WINDOW_SIDE
    split = images.reshape(len(images), count, _WINDOW_SIDE, count, _WINDOW_SIDE)
    return _unit(split.transpose(1, 3, 0, 2, 4).reshape(count * count, len(images), -1))


def _turned(images: Floats) -> Iterator[Floats]:
    """Yield the images ``[n, s, s]`` in their eight rotations and flips."""
    for quarter in range(4):
        turned = np.rot90(images, quarter, (1, 2))
        yield turned
        yield turned[:, :, ::-1]


def _join_similar(
    union: "_Union", images: Floats, describe: Callable[[Floats], Floats], least: float
) -> None:
    """Join images of which enough windows correlate above ``least`` in some orientation."""
    still = describe(images)
    needed = min(_WINDOWS_NEEDED, len(still))
    for turned in _turned(images):
        other = describe(np.ascontiguousarray(turned))
        for start in range(0, len(images), _CHUNK):
            rows = still[:, start : start + _CHUNK]
            # Later columns only: an earlier pair was met in the inverse orientation.
            columns = other[:, start:]
            alike = np.zeros((rows.shape[1], columns.shape[1]), np.uint8)
            for window, reference in zip(rows, columns, strict=True):
                alike += (window @ reference.T) >= least
            for row, column in np.argwhere(alike >= needed).tolist():
                union.join(start + row, start + column)


class _Union:
    """Disjoint sets of the numbers 0 to n - 1."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def join(self, first: int, second: int) -> None:
        """Make one set of the sets of two numbers."""
        low, high = sorted((self._root(first), self._root(second)))
        self._parent[high] = low

    def join_equal(self, keys: Sequence[str]) -> None:
        """Join the numbers whose keys are equal."""
        first: dict[str, int] = {}
        for i, key in enumerate(keys):
            self.join(first.setdefault(key, i), i)

    def numbers(self) -> NDArray[np.int64]:
        """Return the number of each element's set, consecutive from 0."""
        roots = [self._root(i) for i in range(len(self._parent))]
        return np.unique(np.array(roots, np.int64), return_inverse=True)[1].astype(np.int64)

    def _root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i
