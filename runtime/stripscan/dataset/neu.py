"""Finds the samples of the NEU family, of prepared data, and of plain images and masks.

NEU-Seg and SD-saliency-900 label inclusion, patches and scratches; their images are NEU images
of these three classes, so crazing, pitted surface and rolled-in scale count as known and absent.
"""

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from stripscan.contract.classes import CLASS_ID
from stripscan.contract.errors import DataError
from stripscan.dataset.images import IMAGE_SUFFIXES
from stripscan.dataset.record import IMAGES, MASKS, RECORD_NAME, prepared_samples
from stripscan.dataset.samples import SAME_IDS, LabelKind, Sample

NEU_DET: Final = "neu-det"
NEU_SEG: Final = "neu-seg"
SD_SALIENCY: Final = "sd-saliency-900"

NEU_SEG_IDS: Final = (
    (1, CLASS_ID["inclusion"]),
    (2, CLASS_ID["patches"]),
    (3, CLASS_ID["scratches"]),
)
"""Mask values of NEU-Seg and the class ids they stand for."""

NEU_DET_FOLDERS: Final = ("IMAGES", "ANNOTATIONS")
NEU_SEG_FOLDERS: Final = ("images/training", "annotations/training")
SD_SALIENCY_FOLDERS: Final = ("Source Images", "Ground truth")

SD_CLASSES: Final = {"In": "inclusion", "Pa": "patches", "Sc": "scratches"}
"""Class of an SD-saliency-900 image by the first letters of its name."""

LAYOUTS: Final = (
    "NEU-DET (IMAGES + ANNOTATIONS), NEU-Seg (images/training, images/test + annotations/...), "
    "SD-saliency-900 (Source Images + Ground truth), what 'stripscan data prepare' makes of other "
    "formats, or images/ + masks/ with class ids as PNG"
)

logger = logging.getLogger(__name__)


def find_samples(folder: Path) -> list[Sample]:
    """Return the samples of every data set in a folder, or of the one that it is, sorted by name.

    Raises:
        DataError: There is no folder, no known layout or no image; an image has no annotation;
            or two images have the same name.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of images")
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    samples = sorted((s for p in places for s in _samples_of(p)), key=lambda s: s.name)
    if not samples:
        raise DataError(f"{folder}: no labelled images found. Known layouts: {LAYOUTS}")
    for first, second in itertools.pairwise(samples):
        if first.name == second.name:
            raise DataError(
                f"two images are named '{first.name}': {first.image} and {second.image}; "
                f"rename one of them"
            )
    logger.info("found %d samples in %s", len(samples), folder)
    return samples


def _samples_of(place: Path) -> Iterator[Sample]:
    layouts: tuple[tuple[tuple[str, str], Callable[[Path], Iterator[Sample]]], ...] = (
        (NEU_DET_FOLDERS, neu_det_samples),
        (NEU_SEG_FOLDERS, neu_seg_samples),
        (SD_SALIENCY_FOLDERS, sd_saliency_samples),
    )
    for folders, read in layouts:
        if all((place / folder).is_dir() for folder in folders):
            yield from read(place)
    if not (place / IMAGES).is_dir():
        return
    if (place / RECORD_NAME).is_file():
        yield from prepared_samples(place)
    elif (place / MASKS).is_dir():
        yield from _images_and_masks(place)


def neu_det_samples(place: Path) -> Iterator[Sample]:
    """Yield the samples of NEU-DET, those that its authors set aside included."""
    folders = (NEU_DET_FOLDERS, ("Validation_Images", "Validation_Annotations"))
    for images, labels in folders:
        for image, label in _pairs(place / images, place / labels, ".xml"):
            yield Sample(
                name=f"{NEU_DET}/{image.stem}",
                dataset=NEU_DET,
                image=image,
                label=label,
                kind=LabelKind.BOXES,
            )


def neu_seg_samples(place: Path) -> Iterator[Sample]:
    """Yield the samples of NEU-Seg."""
    for part in ("training", "test"):
        for image, label in _pairs(place / "images" / part, place / "annotations" / part, ".png"):
            yield Sample(
                name=f"{NEU_SEG}/{part}/{image.stem}",
                dataset=NEU_SEG,
                image=image,
                label=label,
                kind=LabelKind.MASK,
                mask_ids=NEU_SEG_IDS,
            )


def sd_saliency_samples(place: Path) -> Iterator[Sample]:
    """Yield the samples of SD-saliency-900.

    Raises:
        DataError: An image is not called after its class, or has no mask.
    """
    images, masks = (place / folder for folder in SD_SALIENCY_FOLDERS)
    for image, label in _pairs(images, masks, ".png"):
        prefix = image.stem.split("_")[0]
        if prefix not in SD_CLASSES:
            raise DataError(
                f"{image}: the class is read from the name, which must begin with "
                f"{', '.join(f'{p}_' for p in SD_CLASSES)}"
            )
        yield Sample(
            name=f"{SD_SALIENCY}/{image.stem}",
            dataset=SD_SALIENCY,
            image=image,
            label=label,
            kind=LabelKind.MASK,
            mask_ids=((255, CLASS_ID[SD_CLASSES[prefix]]),),
        )


def _images_and_masks(place: Path) -> Iterator[Sample]:
    dataset = place.resolve().name
    for image, label in _pairs(place / IMAGES, place / MASKS, ".png"):
        yield Sample(
            name=f"{dataset}/{image.stem}",
            dataset=dataset,
            image=image,
            label=label,
            kind=LabelKind.MASK,
            mask_ids=SAME_IDS,
        )


def _pairs(images: Path, labels: Path, suffix: str) -> Iterator[tuple[Path, Path]]:
    """Yield each image of a folder, which may be missing, with its label."""
    if not images.is_dir():
        return
    for image in sorted(images.iterdir()):
        if image.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        label = labels / f"{image.stem}{suffix}"
        if not label.is_file():
            raise DataError(f"{image}: the image has no annotation; expected {label}")
        yield image, label
