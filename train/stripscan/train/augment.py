"""Augmentation: what a line camera may do to the same metal.

Flips along and across are physical: a camera may be mounted either way. Rotation by 90 degrees is
not: rolling gives the metal its direction, and scratches, streaks and inclusions follow it.
"""

from dataclasses import dataclass

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """One example as the network sees it, before normalisation.

    Attributes:
        image: uint8 ``[S, S]``.
        target: uint8 ``[S, S]``; bit ``c`` is set where class ``c`` is.
        known: uint8 ``[S, S]``; bit ``c`` is set where the label speaks of class ``c``.
    """

    image: NDArray[np.uint8]
    target: NDArray[np.uint8]
    known: NDArray[np.uint8]


def pack(planes: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return bool ``[C, H, W]``, at most 8 classes, as one uint8 plane of bits ``[H, W]``.

    Labels travel from the loader to the network eight times smaller so.
    """
    bits = np.packbits(planes, axis=0, bitorder="little")
    return np.ascontiguousarray(bits[0])


class Augmenter:
    """Random crop, scale, flips, light and noise for square crops.

    Args:
        crop_px: Side of what comes out.
        seed: Seed of the random choices.
    """

    def __init__(self, *, crop_px: int, seed: int) -> None:
        self._crop_px = crop_px
        self._compose = albumentations.Compose(
            [
                albumentations.RandomScale(
                    scale_limit=(-0.2, 0.35), interpolation=cv2.INTER_LINEAR, p=0.6
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

    def __call__(
        self,
        image: NDArray[np.uint8],
        target: NDArray[np.bool_],
        known: NDArray[np.bool_],
    ) -> Augmented:
        """Return a random variant.

        Args:
            image: uint8 ``[H, W]``.
            target: bool ``[C, H, W]``.
            known: bool ``[C, H, W]``; what padding adds is not known.
        """
        labels = np.stack([pack(target), pack(known)], axis=2)
        result = self._compose(image=image[:, :, None], mask=labels)
        return Augmented(
            image=np.ascontiguousarray(result["image"][:, :, 0]),
            target=np.ascontiguousarray(result["mask"][:, :, 0]),
            known=np.ascontiguousarray(result["mask"][:, :, 1]),
        )


def padded(
    image: NDArray[np.uint8], target: NDArray[np.bool_], known: NDArray[np.bool_], *, multiple: int
) -> Augmented:
    """Return the example padded to a multiple of pixels: mirrored metal, unknown labels."""
    height, width = image.shape
    down, right = -height % multiple, -width % multiple
    sides = ((0, down), (0, right))
    return Augmented(
        image=cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REFLECT_101).astype(np.uint8),
        target=np.pad(pack(target), sides),
        known=np.pad(pack(known), sides),
    )
