"""Augmentation: what a line camera may do to the same metal.

Flips along and across are physical: a camera may be mounted either way. Rotation by 90 degrees is
not: rolling gives the metal its direction, and scratches, streaks and inclusions follow it.
"""

import math
from dataclasses import dataclass

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.dataset.samples import Labelled

TARGET, KNOWN, BOXES, BOXES_KNOWN = range(4)
"""Planes of a label: where a class is, where the label says whether it is, filled boxes, and where
there are box labels. Bit ``c`` of a pixel speaks of class ``c``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """One example as the network sees it, before normalisation.

    Attributes:
        image: uint8 ``[S, S]``.
        labels: uint8 ``[4, S, S]``, the planes ``TARGET`` to ``BOXES_KNOWN``.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def pack(planes: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return bool ``[C, H, W]``, at most 8 classes, as one uint8 plane of bits ``[H, W]``.

    Labels travel from the loader to the network eight times smaller so.
    """
    bits = np.packbits(planes, axis=0, bitorder="little")
    return np.ascontiguousarray(bits[0])


def planes_of(labelled: Labelled) -> NDArray[np.uint8]:
    """Return the labels as planes of bits, uint8 ``[H, W, 4]``; see ``TARGET`` and on."""
    boxes, said = np.zeros((2, *labelled.image.shape), np.uint8)
    if labelled.boxes is not None:
        boxes = pack(labelled.boxes)
        known = labelled.boxes_known
        said = pack(np.ones_like(labelled.boxes) if known is None else known)
    return np.dstack([pack(labelled.target), pack(labelled.known), boxes, said])


class Augmenter:
    """Random crop, scale, flips, light, blur, noise and strip edges for square crops.

    Args:
        crop_px: Side of what comes out.
        seed: Seed of the random choices.
        edges: Chance, 0-1, that the strip ends within the crop.
    """

    def __init__(self, *, crop_px: int, seed: int, edges: float = 0.08) -> None:
        self._crop_px = crop_px
        self._edges = edges
        self._rng = np.random.default_rng((seed, 1))
        self._compose = albumentations.Compose(
            [
                albumentations.RandomScale(
                    scale_limit=(-_SHRINK, 0.35), interpolation=cv2.INTER_LINEAR, p=0.6
                ),
                albumentations.PadIfNeeded(
                    min_height=crop_px,
                    min_width=crop_px,
                    border_mode=cv2.BORDER_CONSTANT,
                    fill=0,
                    fill_mask=0,
                ),
                albumentations.RandomCrop(height=crop_px, width=crop_px),
                albumentations.HorizontalFlip(p=0.5),
                albumentations.VerticalFlip(p=0.5),
                albumentations.RandomBrightnessContrast(
                    brightness_limit=0.25, contrast_limit=0.35, p=0.8
                ),
                albumentations.RandomGamma(gamma_limit=(75, 130), p=0.3),
                albumentations.OneOf(
                    [
                        albumentations.GaussNoise(std_range=(0.005, 0.03)),
                        albumentations.GaussianBlur(blur_limit=3),
                        albumentations.ImageCompression(quality_range=(60, 95)),
                    ],
                    p=0.3,
                ),
            ],
            seed=seed,
        )
        # Compose gives all transforms one seed: they would draw alike, and both flips agree.
        seeds = np.random.SeedSequence(seed).generate_state(len(self._compose.transforms))
        for transform, own in zip(self._compose.transforms, seeds, strict=True):
            transform.set_random_seed(int(own))

    def __call__(self, image: NDArray[np.uint8], planes: NDArray[np.uint8]) -> Augmented:
        """Return a random variant; what padding adds is not known.

        Args:
            image: uint8 ``[H, W]``.
            planes: Its labels, as of ``planes_of``.
        """
        image, planes = self._part(image, planes)
        result = self._compose(image=image[:, :, None], mask=planes)
        return self._in_the_mill(result)

    def _part(
        self, image: NDArray[np.uint8], planes: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return as much of a large image as a crop can need, so that no more is scaled."""
        side = math.ceil(self._crop_px / (1 - _SHRINK)) + 1
        tops = (int(self._rng.integers(max(length - side, 0) + 1)) for length in image.shape)
        part = tuple(slice(top, top + side) for top in tops)
        return image[part], planes[part]

    def _in_the_mill(self, result: dict[str, NDArray[np.uint8]]) -> Augmented:
        image, labels = result["image"][:, :, 0].astype(np.float32), result["mask"]
        if self._rng.random() < _SHADED:
            image *= _shading(self._rng, image.shape)
        if self._rng.random() < _MOVED:
            image = cv2.blur(image, (1, int(self._rng.integers(2, 6)))).astype(np.float32)
        if self._rng.random() < self._edges:
            _darken_beside_the_strip(self._rng, image, labels)
        return _augmented(np.clip(image + 0.5, 0, 255).astype(np.uint8), labels)


_SHRINK = 0.2
_SHADED = 0.5
_MOVED = 0.15


def _shading(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a gain ``[H, W]`` around 1 that tilts, as under a lamp off the middle."""
    height, width = shape
    down, across = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    tilt = rng.normal(0, 0.1, 3)
    gain = 1 + tilt[0] * down[:, None] + tilt[1] * across + tilt[2] * across * across
    return np.asarray(np.clip(gain, 0.5, 1.5), np.float32)


def _darken_beside_the_strip(
    rng: np.random.Generator, image: NDArray[np.float32], labels: NDArray[np.uint8]
) -> None:
    """Let the strip end within the crop: dark beside it, where no defect is."""
    width = image.shape[1]
    beside = int(rng.uniform(0.05, 0.5) * width)
    columns = slice(0, beside) if rng.random() < 0.5 else slice(width - beside, width)
    dark = image[:, columns]
    dark[:] = rng.uniform(5, 15) + rng.normal(0, 2, dark.shape)
    labels[:, columns, TARGET] = 0
    labels[:, columns, BOXES] = 0


def _augmented(image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Augmented:
    return Augmented(
        image=np.ascontiguousarray(image),
        labels=np.ascontiguousarray(labels.transpose(2, 0, 1)),
    )


def padded(image: NDArray[np.uint8], planes: NDArray[np.uint8], *, multiple: int) -> Augmented:
    """Return the example padded to a multiple of pixels: mirrored metal, unknown labels."""
    height, width = image.shape
    down, right = -height % multiple, -width % multiple
    mirrored = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REFLECT_101)
    labels = np.pad(planes, ((0, down), (0, right), (0, 0)))
    return _augmented(mirrored.astype(np.uint8), labels)
