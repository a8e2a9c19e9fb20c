"""Masks for single images, as files: class ids, overlay, and a record with run lengths."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.bundle import Bundle
from stripscan.contract.classes import DefectClass
from stripscan.contract.errors import DataError
from stripscan.contract.files import write_file
from stripscan.contract.rle import runs_of
from stripscan.dataset.images import read_mono
from stripscan.dataset.samples import LabelKind, Sample, load
from stripscan.dataset.scoring.metrics import class_score, count, one_hot
from stripscan.runtime.drawing import Picture, overlay, side_by_side
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.inspector import classes_of
from stripscan.runtime.still import segment_image

_SCALE_BELOW_PX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the model sees in one image.

    Attributes:
        image: File of the image.
        mask: uint8 ``[H, W]`` class ids.
        area_px: Pixels by class name, of the classes that were found.
        iou: Where an annotation was given, IoU with it by class name, of the classes in either.
    """

    image: Path
    mask: NDArray[np.uint8]
    area_px: dict[str, int]
    iou: dict[str, float] | None


def predict(
    engine: Engine, bundle: Bundle, image: Path, out: Path, *, annotation: Path | None = None
) -> Prediction:
    """Segment one image and write its files into a folder.

    Writes ``<stem>.mask.png`` (class ids), ``<stem>.overlay.png`` (image, result and, where one is
    given, annotation side by side) and ``<stem>.json``.

    Args:
        engine: What runs the model.
        bundle: Where the classes come from.
        image: The image.
        out: An existing folder.
        annotation: Pascal VOC file (``.xml``) or mask of class ids (``.png``) of this image.

    Raises:
        DataError: The image or the annotation cannot be used.
        StoreError: A file cannot be written.
    """
    classes = classes_of(bundle.manifest)
    pixels = read_mono(image)
    mask, score = segment_image(engine, pixels)
    planes = np.stack([mask == c.id for c in classes])
    shown = [("image", _plain(pixels)), ("stripscan", overlay(pixels, planes, classes))]
    iou: dict[str, float] | None = None
    if annotation is not None:
        labelled = load(_sample(image, annotation))
        truth, known = labelled.target, labelled.known
        if labelled.boxes is not None:
            truth, said = labelled.boxes, labelled.boxes_known
            known = np.ones_like(truth) if said is None else said
        shown.append(("annotation", overlay(pixels, truth, classes)))
        counts = count(one_hot(mask), truth, known)
        scores = {c.name: class_score(counts, c.id).iou for c in classes}
        iou = {name: value for name, value in scores.items() if value is not None}
    result = Prediction(
        image=image,
        mask=mask,
        area_px={c.name: int(np.sum(mask == c.id)) for c in classes if (mask == c.id).any()},
        iou=iou,
    )
    scale = 2 if max(pixels.shape) <= _SCALE_BELOW_PX else 1
    _write_png(out / f"{image.stem}.mask.png", mask)
    _write_png(out / f"{image.stem}.overlay.png", side_by_side(shown, scale=scale))
    write_file(out / f"{image.stem}.json", _record(result, classes, score, bundle))
    return result


def annotation_of(image: Path, annotations: Path) -> Path:
    """Return the annotation of an image: the file itself, or that of the same stem in a folder.

    Raises:
        DataError: There is none.
    """
    if annotations.is_file():
        return annotations
    for suffix in (".xml", ".png"):
        candidate = annotations / f"{image.stem}{suffix}"
        if candidate.is_file():
            return candidate
    raise DataError(f"{annotations}: has no annotation {image.stem}.xml or {image.stem}.png")


def _sample(image: Path, annotation: Path) -> Sample:
    kind = LabelKind.BOXES if annotation.suffix.lower() == ".xml" else LabelKind.MASK
    return Sample(name=image.stem, dataset="predict", image=image, label=annotation, kind=kind)


def _plain(pixels: NDArray[np.uint8]) -> Picture:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)


def _record(
    result: Prediction, classes: Sequence[DefectClass], score: NDArray[np.uint8], bundle: Bundle
) -> bytes:
    found: list[dict[str, Any]] = [
        {
            "class": c.name,
            "area_px": result.area_px[c.name],
            "mean_score": round(float(score[result.mask == c.id].mean()) / 255, 4),
            "runs": runs_of(result.mask == c.id).tolist(),
        }
        for c in classes
        if c.name in result.area_px
    ]
    height, width = result.mask.shape
    record = {
        "schema": 1,
        "image": result.image.name,
        "height_px": height,
        "width_px": width,
        "bundle": bundle.manifest.name,
        "bundle_digest": bundle.digest,
        "runs_are": "[line, first column, column after the last]",
        "classes": found,
        "iou_with_annotation": result.iou,
    }
    return json.dumps(record).encode()


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    _, encoded = cv2.imencode(".png", pixels)
    write_file(path, encoded.tobytes())
