"""A tiny data set of which every figure is known."""

from pathlib import Path

import cv2
import numpy as np

from stripscan.contract.classes import CLASS_ID
from stripscan.dataset.samples import LabelKind, Sample


def metal(seed: int, size: int = 100) -> np.ndarray:
    """Grain with a few blots, as a camera sees it."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 60, (size, size)).astype(np.float32), (0, 0), 1.5)
    blots = cv2.GaussianBlur(rng.normal(0, 900, (size, size)).astype(np.float32), (0, 0), 12)
    return np.clip(120 + grain + blots, 0, 255).astype(np.uint8)


def mask(*patches: tuple[str, int, int, int, int], size: int = 100) -> np.ndarray:
    """Return a mask with filled rectangles: class, left, top, width, height."""
    ids = np.zeros((size, size), np.uint8)
    for name, left, top, width, height in patches:
        ids[top : top + height, left : left + width] = CLASS_ID[name]
    return ids


def masked(
    folder: Path, name: str, image: np.ndarray, label: np.ndarray | None, *, dataset: str = "m"
) -> Sample:
    """Store an image with its mask, or with no label."""
    path = folder / f"{name}.png"
    label_path = folder / f"{name}.mask.png"
    cv2.imwrite(str(path), image)
    if label is not None:
        cv2.imwrite(str(label_path), label)
    return Sample(
        name=f"{dataset}/{name}",
        dataset=dataset,
        image=path,
        label=None if label is None else label_path,
        kind=LabelKind.MASK,
    )


def boxed(
    folder: Path, name: str, image: np.ndarray, *boxes: tuple[str, int, int, int, int]
) -> Sample:
    """Store an image with boxes: class, left, top, width, height."""
    path = folder / f"{name}.png"
    label = folder / f"{name}.xml"
    cv2.imwrite(str(path), image)
    objects = "".join(
        f"<object><name>{kind}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>"
        f"<xmax>{left + width}</xmax><ymax>{top + height}</ymax></bndbox></object>"
        for kind, left, top, width, height in boxes
    )
    label.write_text(f"<annotation>{objects}</annotation>", encoding="utf-8")
    return Sample(name=f"b/{name}", dataset="b", image=path, label=label, kind=LabelKind.BOXES)
