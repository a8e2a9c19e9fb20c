"""Reviewed defects as images and masks that ``stripscan data prepare`` takes in.

A picture shows a defect and little around it, and nobody has said anything of what lies around.
So a mask holds the class where a review gives one, 0 where a review says that there is no defect,
and 255, which training ignores, everywhere else.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.classes import BACKGROUND, CLASS_ID
from stripscan.contract.rle import Runs, mask_of
from stripscan.runtime.store import Picture, Store
from stripscan.runtime.web.reviews import Review

UNLABELLED: Final = 255
MIN_SCALE: Final = 0.5
"""A picture that was scaled down further shows its defect too small to be learned from."""

_README: Final = """\
Reviewed defects. Take them in with:

    stripscan data prepare THIS-FOLDER --out data/relabelled --mm-per-px {mm_per_px:g}

masks/: class ids, 0 where a review says that there is no defect, 255 where nobody has said
anything.
reviews/reviews.json: who said what, and which reviews are left out and why.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A review that gives no image."""

    coil: str
    number: int
    why: str


def relabel_zip(store: Store, reviews: Iterable[Review]) -> bytes:
    """Return a zip of ``images/``, ``masks/`` and ``reviews/reviews.json``.

    Args:
        store: Where pictures and masks are.
        reviews: The reviews that count.
    """
    kept: list[Review] = []
    left_out: list[LeftOut] = []
    pitch_mm = 0.0
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for review, made in _made(store, reviews):
            if isinstance(made, str):
                left_out.append(LeftOut(coil=review.coil, number=review.number, why=made))
                continue
            image_png, mask, pitch_mm = made
            kept.append(review)
            name = f"{_file_name(review.coil)}-{review.number:06d}.png"
            archive.writestr(f"images/{name}", image_png)
            archive.writestr(f"masks/{name}", cv2.imencode(".png", mask)[1].tobytes())
        record = {
            "format": "stripscan-relabel",
            "version": 1,
            "reviews": [asdict(review) for review in kept],
            "left_out": [asdict(each) for each in left_out],
        }
        archive.writestr("reviews/reviews.json", json.dumps(record, ensure_ascii=False, indent=1))
        archive.writestr("README.txt", _README.format(mm_per_px=pitch_mm))
    return packed.getvalue()


def relabelled(
    picture: Picture, size: tuple[int, int], judged: Iterable[tuple[Review, Runs]]
) -> NDArray[np.uint8]:
    """Return the mask of a picture.

    Args:
        picture: Which part of the coil it shows.
        size: Width and height of its image in pixels.
        judged: Reviews with the masks that they are of, int64 ``[n, 3]``.

    Returns:
        uint8 ``[height, width]``: class ids, 0 and 255.
    """
    mask = np.full((size[1], size[0]), UNLABELLED, np.uint8)
    for review, runs in judged:
        inside = mask_of(
            runs - np.array([0, picture.first_px, picture.first_px], np.int64),
            first_line=picture.first_line,
            lines=picture.lines,
            width=picture.width,
        )
        shown = cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST).astype(bool)
        mask[shown] = BACKGROUND if review.verdict == "reject" else CLASS_ID[review.class_name]
    return mask


_Made = tuple[bytes, NDArray[np.uint8], float]


def _made(store: Store, reviews: Iterable[Review]) -> Iterator[tuple[Review, _Made | str]]:
    """Yield each review with image, mask and pitch in mm, or why there is none."""
    by_coil: dict[str, list[Review]] = {}
    for review in reviews:
        by_coil.setdefault(review.coil, []).append(review)
    for coil, of_coil in by_coil.items():
        pitch_mm = store.coil(coil).mm_per_px
        judged = [(review, store.runs(coil, review.number)) for review in of_coil]
        for review, runs in judged:
            yield review, _made_of(store, review, runs, judged, pitch_mm)


def _made_of(
    store: Store,
    review: Review,
    runs: Runs,
    judged: list[tuple[Review, Runs]],
    pitch_mm: float,
) -> _Made | str:
    picture = store.picture(review.coil, review.number)
    if picture is None:
        return "it has no picture"
    if not len(runs):
        return "it has no mask"
    if review.verdict != "reject" and review.class_name not in CLASS_ID:
        return f"{review.class_name} is no class that is trained"
    image = cv2.imdecode(np.frombuffer(picture.image_png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        return "its picture is damaged"
    if image.shape[1] < MIN_SCALE * picture.width:
        return "its picture is scaled down too far"
    near = [
        (other, mask)
        for other, mask in judged
        if len(mask)
        and mask[0, 0] < picture.first_line + picture.lines
        and mask[-1, 0] >= picture.first_line
        and (other.verdict == "reject" or other.class_name in CLASS_ID)
    ]
    mask = relabelled(picture, (image.shape[1], image.shape[0]), near)
    return picture.image_png, mask, pitch_mm


def _file_name(coil: str) -> str:
    """Return a coil's id as part of a file name, whatever Level 2 calls it."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in coil)
