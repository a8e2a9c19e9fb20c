"""Finds which pictures show the same metal, so that a split can keep them together.

The public sets are full of twins: NEU-Seg has every picture in four rotations, SD-saliency-900
repeats NEU-DET, and about 210 pictures of NEU-Seg are composed of two others, one faded into the
other. A split that ignores this measures memory.

Two tests, both under the eight rotations and flips:

1. *Same picture*: the whole picture, without its slow changes of brightness, at 32 x 32. In the
   NEU family copies correlate above 0.985; the few pairs from 0.7 to 0.985 are composites, or
   scratches that run alike. Brightness itself misleads: with it, 388 of 1,620 pictures of NEU-DET
   correlate above 0.9 with another one, mostly of other metal under the same light; without, 18.
2. *Shared metal*: the grain of the metal, at 96 x 96 in 4 x 4 windows. Two pictures share metal
   where three windows at the same place correlate above 0.9. Grain is like a fingerprint: in the
   NEU family this joins 190 of the 209 composites to a picture that they are made of, and no two
   pictures without a composite between them. Parts that were moved or scaled are not found.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

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

ORIENTATIONS: Final = 8
"""Rotations and flips of a picture, see ``turn``."""

PICTURE_SIDE: Final = 32
"""Side of ``picture_descriptor`` in pixels."""

_GRAIN_SIDE = 96
_WINDOW_SIDE = 24
_WINDOWS_NEEDED = 3
_WORK_SIDE = 200  # px; scales of blur below are for pictures of this size
_CHUNK = 512
_FLAT_LEVELS = 0.1  # grey levels of contrast; below it there is only rounding to compare

Floats = NDArray[np.float32]
Value = TypeVar("Value", bound=np.generic)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMatch:
    """Which samples belong together.

    Attributes:
        picture: int64 ``[n]``, a number per sample; equal for copies, rotations and flips of the
            same picture.
        group: int64 ``[n]``; equal also for pictures that share a part of their metal. Samples of
            one group must not be split.
        shared: int64 ``[m, 2]``, pairs of numbers of ``picture`` that share metal themselves, and
            not by way of a third picture.
    """

    picture: NDArray[np.int64]
    group: NDArray[np.int64]
    shared: NDArray[np.int64]


def group_sources(samples: Sequence[Sample]) -> NDArray[np.int64]:
    """Return ``SourceMatch.group`` of the samples: what a split must keep together."""
    return match_sources(samples).group


def match_sources(samples: Sequence[Sample], *, scale_16bit: bool = False) -> SourceMatch:
    """Compare every picture with every other one.

    Takes about 35 s and 0.5 GB for the 6,463 pictures of the NEU family on one core; time grows
    with the square of the number.

    Raises:
        DataError: A picture cannot be read.
    """
    pictures = np.empty((len(samples), PICTURE_SIDE, PICTURE_SIDE), np.float32)
    grains = np.empty((len(samples), _GRAIN_SIDE, _GRAIN_SIDE), np.float32)
    digests: list[str] = []
    for i, sample in enumerate(samples):
        image = read_mono(sample.image, scale_16bit=scale_16bit)
        pictures[i], grains[i] = picture_descriptor(image), _grain(image)
        digests.append(pixel_digest(image))
    union = _Union(len(samples))
    union.join_equal(digests)
    union.join_equal([_name_key(sample) for sample in samples])
    union.join_pairs(_similar(pictures, _whole, SAME_PICTURE))
    picture = union.numbers()
    _, first = np.unique(picture, return_index=True)
    shared = [(a, b) for a, b in _similar(grains[first], _windows, SHARED_METAL) if a != b]
    metal = _Union(len(first))
    metal.join_pairs(shared)
    group = metal.numbers()[picture]
    logger.info(
        "%d samples show %d pictures, %d of them without shared metal",
        len(samples),
        len(first),
        len(np.unique(group)),
    )
    pairs = np.array(sorted(set(shared)), np.int64).reshape(-1, 2)
    return SourceMatch(picture=picture, group=group, shared=pairs)


def same_orientation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return how far two pictures agree as they lie, -1 to 1: near 1 for an unturned copy."""
    a, b = (unit(picture_descriptor(image).reshape(1, -1)) for image in (first, second))
    return float((a @ b.T)[0, 0])


def picture_descriptor(image: NDArray[np.uint8]) -> Floats:
    """Return a picture without its slow changes of brightness, float32 ``[32, 32]``.

    Two of them correlate where the pictures show the same at the same place; compare them with
    ``unit``. Pictures that are not square are squeezed.
    """
    work = _work_size(image)
    flat = cv2.GaussianBlur(work - cv2.GaussianBlur(work, (0, 0), 20), (0, 0), 1.5)
    return _shrink(flat, PICTURE_SIDE)


def turn(pixels: NDArray[Value], orientation: int) -> NDArray[Value]:
    """Return pixels ``[..., H, W]`` rotated and flipped.

    Args:
        pixels: Pictures or masks.
        orientation: 0-7; half of it, rounded down, is the number of quarter turns to the left;
            odd ones are then mirrored from left to right.
    """
    turned = np.rot90(pixels, orientation // 2, (-2, -1))
    return turned[..., ::-1] if orientation % 2 else turned


def unit(vectors: Floats) -> Floats:
    """Return vectors ``[..., d]`` with zero mean and unit norm, or zero where they are flat.

    The scalar product of two of them is their correlation.
    """
    centred = vectors - vectors.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(centred, axis=-1, keepdims=True)
    flat = norm < _FLAT_LEVELS * np.sqrt(vectors.shape[-1])
    return np.asarray(np.where(flat, 0, centred / np.where(flat, 1, norm)), np.float32)


def _name_key(sample: Sample) -> str:
    """Return a key that SD-saliency-900's ``In_7`` and NEU-DET's ``inclusion_7`` share."""
    stem = sample.image.stem
    prefix, _, number = stem.partition("_")
    if sample.dataset == SD_SALIENCY and prefix in SD_CLASSES:
        return f"{NEU_DET}/{SD_CLASSES[prefix]}_{number}"
    return sample.name


def _grain(image: NDArray[np.uint8]) -> Floats:
    """Return the grain of the metal ``[96, 96]``."""
    work = _work_size(image)
    grain = cv2.GaussianBlur(work, (0, 0), 1.0) - cv2.GaussianBlur(work, (0, 0), 4.0)
    return _shrink(grain, _GRAIN_SIDE)


def _work_size(image: NDArray[np.uint8]) -> Floats:
    work = image.astype(np.float32)
    if work.shape == (_WORK_SIDE, _WORK_SIDE):
        return work
    size = (_WORK_SIDE, _WORK_SIDE)
    return np.asarray(cv2.resize(work, size, interpolation=cv2.INTER_AREA), np.float32)


def _shrink(image: NDArray[Any], side: int) -> Floats:
    shrunk = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float32)


def _whole(images: Floats) -> Floats:
    """Return one window ``[1, n, side * side]``."""
    return unit(images.reshape(1, len(images), -1))


def _windows(images: Floats) -> Floats:
    """Return ``[16, n, 24 * 24]`` windows of ``[n, 96, 96]``."""
    count = _GRAIN_SIDE // _WINDOW_SIDE
    split = images.reshape(len(images), count, _WINDOW_SIDE, count, _WINDOW_SIDE)
    return unit(split.transpose(1, 3, 0, 2, 4).reshape(count * count, len(images), -1))


def _similar(
    images: Floats, describe: Callable[[Floats], Floats], least: float
) -> Iterator[tuple[int, int]]:
    """Yield pairs of images of which enough windows correlate above ``least``.

    Each pair may come more than once, and an image that is symmetric with itself.
    """
    still = describe(images)
    needed = min(_WINDOWS_NEEDED, len(still))
    for orientation in range(ORIENTATIONS):
        other = describe(np.ascontiguousarray(turn(images, orientation)))
        for start in range(0, len(images), _CHUNK):
            rows = still[:, start : start + _CHUNK]
            # Later columns only: an earlier pair was met in the inverse orientation.
            columns = other[:, start:]
            alike = np.zeros((rows.shape[1], columns.shape[1]), np.uint8)
            for window, reference in zip(rows, columns, strict=True):
                alike += (window @ reference.T) >= least
            for row, column in np.argwhere(alike >= needed).tolist():
                yield start + min(row, column), start + max(row, column)


class _Union:
    """Disjoint sets of the numbers 0 to n - 1."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def join(self, first: int, second: int) -> None:
        """Make one set of the sets of two numbers."""
        low, high = sorted((self._root(first), self._root(second)))
        self._parent[high] = low

    def join_pairs(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Join both numbers of each pair."""
        for first, second in pairs:
            self.join(first, second)

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
