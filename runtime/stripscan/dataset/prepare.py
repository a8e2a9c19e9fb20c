"""Reads a foreign data set and writes stripscan's own layout, whole or not at all.

::

    OUT/images/NAME.png   8-bit mono
    OUT/masks/NAME.png    class ids, 0 background, 255 unlabelled
    OUT/boxes/NAME.xml    Pascal VOC
    OUT/dataset.json      ``record.DatasetRecord``
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import BACKGROUND, NEU_CLASSES
from stripscan.contract.errors import ConfigError, DataError, StoreError
from stripscan.contract.files import sync_folder
from stripscan.dataset.formats.canvas import UNLABELLED, Canvas
from stripscan.dataset.formats.catalogue import AUTO, choose_format
from stripscan.dataset.formats.classmap import (
    BACKGROUND_NAME,
    TARGETS,
    known_classes,
    resolve,
)
from stripscan.dataset.formats.foreign import ForeignImage
from stripscan.dataset.images import pixel_digest, read_mono
from stripscan.dataset.record import (
    BOXES,
    IMAGES,
    MASKS,
    RECORD_NAME,
    ClassCount,
    Counts,
    DatasetRecord,
)
from stripscan.dataset.voc import UNLABELLED_NAME, Box, voc_bytes

_FAST_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was prepared.

    Attributes:
        record: ``dataset.json``.
        left_out: Their classes that became unlabelled.
        note: What a user must know of the format to map its classes; may be empty.
    """

    record: DatasetRecord
    left_out: tuple[str, ...]
    note: str


def prepare(
    source: Path,
    out: Path,
    *,
    format_name: str = AUTO,
    class_map: Mapping[str, str] | None = None,
    known: Sequence[str] = (),
    mm_per_px: float | None = None,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """Read a data set in a known format and write it to a new folder.

    Args:
        source: The data set.
        out: A new or empty folder; on any fault nothing is left there.
        format_name: A name of ``catalogue.FORMATS``, or ``"auto"``.
        class_map: Their classes to ours, ``background`` or ``unlabelled``; over the default of
            the format.
        known: Classes whose absence the labels state as well; all if none.
        mm_per_px: Size of a pixel in mm; that of the format if none.
        on_image: Called after each image with their count so far and in all.

    Raises:
        ConfigError: ``out`` is in use, or an option does not fit the data set.
        DataError: The data set has a fault; the message names file and place.
        StoreError: ``out`` cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: is not an empty folder; name a new one with --out")
    if mm_per_px is not None and not 0 < mm_per_px < np.inf:
        raise ConfigError(f"--mm-per-px {mm_per_px}: the size of a pixel is above 0 mm")
    knows = known_classes(known)
    chosen = choose_format(source, format_name)
    foreign = chosen.read(source)
    if not foreign.images:
        raise DataError(f"{source}: there are no images; {chosen.name} is {chosen.layout}")
    mapped = resolve(foreign, class_map or {})
    with _new_folder(out) as folder:
        writer = _Writer(folder=folder, class_map=mapped)
        for done, image in enumerate(foreign.images, 1):
            writer.write(image)
            on_image(done, len(foreign.images))
        record = writer.record(
            source_format=chosen.name,
            classes_known=knows,
            mm_per_px=foreign.mm_per_px if mm_per_px is None else mm_per_px,
        )
        _save(folder / RECORD_NAME, record.model_dump_json(indent=2).encode() + b"\n")
    return Prepared(
        record=record,
        left_out=tuple(t for t, ours in mapped.items() if ours == UNLABELLED_NAME),
        note=foreign.note,
    )


@dataclass(slots=True, kw_only=True)
class _Writer:
    """Writes images with their labels, and counts."""

    folder: Path
    class_map: Mapping[str, str]
    _facts: list[tuple[str, ...]] = field(default_factory=list)
    _kinds: Counter[str] = field(default_factory=Counter)
    _images: Counter[str] = field(default_factory=Counter)
    _pixels: Counter[str] = field(default_factory=Counter)
    _boxes: Counter[str] = field(default_factory=Counter)

    def write(self, image: ForeignImage) -> None:
        """Check and write one image.

        Raises:
            DataError: The image or its label has a fault.
            StoreError: It cannot be written.
        """
        picture = read_mono(image.path)
        shape = (picture.shape[0], picture.shape[1])
        shown: set[str] = set()
        facts = [image.name, pixel_digest(picture)]
        _save(self.folder / IMAGES / f"{image.name}.png", _png(picture))
        if image.paint is not None:
            mask = self._painted(image, shape)
            shown |= self._count_mask(mask)
            facts.append(pixel_digest(mask))
            _save(self.folder / MASKS / f"{image.name}.png", _png(mask))
        if image.boxes is not None:
            boxes = self._mapped(image, shape)
            shown |= {box.class_name for box in boxes}
            self._kinds["boxes"] += 1
            self._boxes.update(box.class_name for box in boxes)
            written = voc_bytes(boxes, shape)
            facts.append(hashlib.sha256(written).hexdigest()[:16])
            _save(self.folder / BOXES / f"{image.name}.xml", written)
        self._facts.append(tuple(facts))
        self._images.update(shown)
        self._kinds["clean"] += not shown

    def record(
        self, *, source_format: str, classes_known: tuple[str, ...], mm_per_px: float | None
    ) -> DatasetRecord:
        """Return the record of all that was written."""
        classes = {
            c.name: ClassCount(
                images=self._images[c.name],
                pixels=self._pixels[c.name],
                boxes=self._boxes[c.name],
            )
            for c in NEU_CLASSES
        }
        counts = Counts(
            images=len(self._facts),
            masks=self._kinds["masks"],
            boxes=self._kinds["boxes"],
            clean=self._kinds["clean"],
            unlabelled=self._images[UNLABELLED_NAME],
            classes=classes,
        )
        said = [source_format, dict(self.class_map), classes_known, mm_per_px, sorted(self._facts)]
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
        return DatasetRecord(
            source_format=source_format,
            class_map=dict(self.class_map),
            classes_known=classes_known,
            mm_per_px=mm_per_px,
            counts=counts,
            digest=digest,
        )

    def _painted(self, image: ForeignImage, shape: tuple[int, int]) -> NDArray[np.uint8]:
        canvas = Canvas(shape, {theirs: TARGETS[ours] for theirs, ours in self.class_map.items()})
        if image.paint is not None:
            try:
                image.paint(canvas)
            except DataError as error:
                raise DataError(f"{image.path}: {error}") from error
        return canvas.mask()

    def _count_mask(self, mask: NDArray[np.uint8]) -> set[str]:
        """Return what a mask shows: names of classes, and ``unlabelled``."""
        names = {c.id: c.name for c in NEU_CLASSES} | {UNLABELLED: UNLABELLED_NAME}
        values, pixels = np.unique(mask, return_counts=True)
        areas = dict(zip(values.tolist(), pixels.tolist(), strict=True))
        areas.pop(BACKGROUND, None)
        self._kinds["masks"] += 1
        for value, area in areas.items():
            self._pixels[names[value]] += area
        return {names[value] for value in areas}

    def _mapped(self, image: ForeignImage, shape: tuple[int, int]) -> list[Box]:
        """Return the boxes under our names."""
        height, width = shape
        boxes: list[Box] = []
        for box in image.boxes or ():
            if box.right > width or box.bottom > height:
                raise DataError(
                    f"{image.path}: the image has {width} x {height} px, and a box of "
                    f"'{box.class_name}' reaches {box.right} x {box.bottom} px; take the image "
                    f"that was labelled"
                )
            ours = self.class_map[box.class_name]
            if ours != BACKGROUND_NAME:
                boxes.append(
                    Box(
                        class_name=ours,
                        left=box.left,
                        top=box.top,
                        right=box.right,
                        bottom=box.bottom,
                    )
                )
        return boxes


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Yield a hidden folder that becomes ``out`` when the block ends without an error.

    Raises:
        StoreError: It cannot be made, filled or moved.
    """
    out = out.absolute()
    try:
        near = next(folder for folder in out.parents if folder.is_dir())
        part = Path(tempfile.mkdtemp(dir=near, prefix=f".{out.name}.", suffix=".part"))
    except OSError as error:
        raise StoreError(f"{out}: cannot be made: {error.strerror}") from error
    try:
        for name in (IMAGES, MASKS, BOXES):
            (part / name).mkdir()
        yield part
        for name in (MASKS, BOXES):
            if not any((part / name).iterdir()):
                (part / name).rmdir()
        part.chmod(0o755)
        os.sync()  # once for all files, in place of thousands of single ones
        out.parent.mkdir(parents=True, exist_ok=True)
        part.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        if part.exists():
            shutil.rmtree(part, ignore_errors=True)


def _save(path: Path, data: bytes) -> None:
    """Write a file of the hidden folder, which counts only once it is renamed."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def _png(pixels: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", pixels, _FAST_PNG)[1].tobytes()
