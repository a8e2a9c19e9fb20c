"""Real defects of the NEU family, taken off their metal to be put on the simulated strip."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import DataError
from stripscan.simulation.defects import Sprite, sprite_of
from stripscan.simulation.texture import Field

REAL_CLASSES: dict[str, str] = {"inclusion": "In", "patches": "Pa", "scratches": "Sc"}
"""Classes with pixel masks in sd-saliency-900, and the prefix of their files."""

_FEATHER_PX = 4.0
_MARGIN_PX = 10
_LEAST_AREA_PX = 60
_METAL_PX = 25.0  # how far around a defect the metal's own level is looked for


class RealDefects:
    """Cut-outs of real inclusions, patches and scratches.

    A cut-out is the ratio of the real pixels to the metal around the defect, fading to 1 outside
    of the mask; so it takes on the level of whatever metal it is put on, without a seam.

    Args:
        folder: Folder of sd-saliency-900, or one that holds it: ``Source Images/In_7.bmp`` with
            ``Ground truth/In_7.png`` and so on, grey and of equal size.

    Raises:
        DataError: The folder lacks the images, or the masks, of one of the classes.
    """

    def __init__(self, folder: Path) -> None:
        inside = folder / "sd-saliency-900"
        root = inside if inside.is_dir() else folder
        self._pairs: dict[str, list[tuple[Path, Path]]] = {}
        for class_name, prefix in REAL_CLASSES.items():
            images = sorted((root / "Source Images").glob(f"{prefix}_*.bmp"))
            pairs = [(image, root / "Ground truth" / f"{image.stem}.png") for image in images]
            pairs = [pair for pair in pairs if pair[1].is_file()]
            if not pairs:
                raise DataError(
                    f"{folder} has no real {class_name}: expected 'Source Images/{prefix}_*.bmp' "
                    f"with 'Ground truth/{prefix}_*.png' (sd-saliency-900)"
                )
            self._pairs[class_name] = pairs

    def draw(self, class_name: str, rng: np.random.Generator, lines: int, width: int) -> Sprite:
        """Return one real defect scaled into a box.

        Args:
            class_name: One of ``REAL_CLASSES``.
            rng: Source of the choice.
            lines: Height of the box.
            width: Width of the box.

        Raises:
            DataError: An image or its mask cannot be read, they do not fit each other, or no
                mask of the class marks a piece large enough.
        """
        gain, mask = self._pick(class_name, rng)
        if (gain.shape[0] < gain.shape[1]) != (lines < width):
            gain, mask = gain.T, mask.T
        if rng.random() < 0.5:
            gain, mask = gain[:, ::-1], mask[:, ::-1]
        scaled = cv2.resize(np.ascontiguousarray(gain), (width, lines))
        covered = cv2.resize(np.ascontiguousarray(mask, np.float32), (width, lines)) >= 0.5
        return sprite_of(np.asarray(scaled, np.float32), covered)

    def _pick(self, class_name: str, rng: np.random.Generator) -> tuple[Field, NDArray[np.uint8]]:
        pairs = self._pairs[class_name]
        for index in rng.permutation(len(pairs)).tolist():
            cut = _cut_out(*pairs[index])
            if cut is not None:
                return cut
        raise DataError(
            f"none of {len(pairs)} masks in {pairs[0][1].parent} marks a {class_name} of "
            f"{_LEAST_AREA_PX} px or more"
        )


def _read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{path} cannot be read as an image")
    return np.asarray(image, np.uint8)


def _cut_out(image_path: Path, mask_path: Path) -> tuple[Field, NDArray[np.uint8]] | None:
    """Return gain and mask of an image's largest defect with a margin, None if it is tiny."""
    image, mask = _read(image_path), (_read(mask_path) >= 128).astype(np.uint8)
    if image.shape != mask.shape:
        raise DataError(f"{mask_path} is {mask.shape} px, its image is {image.shape} px")
    around = cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0
    level = _metal_level(image, around)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if len(stats) > 1 else 0
    if largest == 0 or stats[largest, cv2.CC_STAT_AREA] < _LEAST_AREA_PX:
        return None
    left, top, wide, high = stats[largest, :4].tolist()
    piece = np.pad((labels == largest).astype(np.uint8), _MARGIN_PX)
    ratio = np.pad(image / level, _MARGIN_PX, mode="edge").astype(np.float32)
    box = (slice(top, top + high + 2 * _MARGIN_PX), slice(left, left + wide + 2 * _MARGIN_PX))
    outside_px = cv2.distanceTransform(1 - piece[box], cv2.DIST_L2, 5)
    alpha = np.clip(1 - outside_px / np.float32(_FEATHER_PX), 0, 1)
    return np.asarray(1 + alpha * (ratio[box] - 1), np.float32), piece[box]


def _metal_level(image: NDArray[np.uint8], metal: NDArray[np.bool_]) -> Field:
    """Return the smooth grey level of the metal, also under the defect."""
    share = metal.astype(np.float32)
    overall = np.float32(image[metal].mean() if metal.any() else image.mean())
    weighted = cv2.GaussianBlur(share * image, (0, 0), _METAL_PX)
    weight = cv2.GaussianBlur(share, (0, 0), _METAL_PX)
    level = (weighted + np.float32(0.02) * overall) / (weight + np.float32(0.02))
    return np.maximum(np.asarray(level, np.float32), 8)
