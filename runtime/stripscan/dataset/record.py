"""``dataset.json``: what a prepared data set says of itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from stripscan.contract.classes import CLASS_ID
from stripscan.contract.errors import DataError
from stripscan.dataset.images import IMAGE_SUFFIXES
from stripscan.dataset.samples import SAME_IDS, LabelKind, Sample

RECORD_NAME: Final = "dataset.json"
SCHEMA: Final = 1

IMAGES: Final = "images"
MASKS: Final = "masks"
BOXES: Final = "boxes"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassCount(_Part):
    """How often a class occurs.

    Attributes:
        images: Images that show it.
        pixels: Pixels of it in masks.
        boxes: Boxes of it.
    """

    images: int = Field(0, ge=0)
    pixels: int = Field(0, ge=0)
    boxes: int = Field(0, ge=0)


class Counts(_Part):
    """What the data set holds.

    Attributes:
        images: Images.
        masks: Images with a mask.
        boxes: Images with boxes.
        clean: Images whose label shows no defect and leaves nothing open.
        unlabelled: Images with pixels or boxes of which the label says nothing.
        classes: Per class of ours.
    """

    images: int = Field(ge=0)
    masks: int = Field(ge=0)
    boxes: int = Field(ge=0)
    clean: int = Field(ge=0)
    unlabelled: int = Field(ge=0)
    classes: dict[str, ClassCount]


class DatasetRecord(_Part):
    """``dataset.json``.

    Attributes:
        schema_version: Version of this layout.
        source_format: Format that it was read from.
        class_map: Each of their classes to ours, ``background`` or ``unlabelled``.
        classes_known: Classes whose presence and absence the labels state.
        mm_per_px: Size of a pixel in mm, if known.
        counts: What it holds.
        digest: 16 hex digits that identify pixels, labels and all above.
    """

    schema_version: Literal[1] = SCHEMA
    source_format: str
    class_map: dict[str, str]
    classes_known: tuple[str, ...]
    mm_per_px: float | None = Field(None, gt=0, allow_inf_nan=False)
    counts: Counts
    digest: str = Field(pattern="^[0-9a-f]{16}$")

    @field_validator("classes_known")
    @classmethod
    def _are_classes(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if strange := [name for name in names if name not in CLASS_ID]:
            raise ValueError(f"'{strange[0]}' is no class; valid are {', '.join(CLASS_ID)}")
        return names


def read_record(folder: Path) -> DatasetRecord:
    """Return the record of a prepared data set.

    Raises:
        DataError: It cannot be read, is of another version, or is no such record.
    """
    path = folder / RECORD_NAME
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        content = json.loads(raw)
        version = content.get("schema_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > SCHEMA:
            raise DataError(
                f"{path}: has schema version {version}, this stripscan reads up to {SCHEMA}; "
                f"upgrade stripscan, or prepare the data again"
            )
        return DatasetRecord.model_validate_json(raw)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, problem["loc"]))
        what = problem["msg"].removeprefix("Value error, ")
        raise DataError(
            f"{path}: {place}: {what}; prepare the data again, or rename the file if another "
            f"program wrote it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no JSON ({error}); prepare the data again") from error


def prepared_samples(folder: Path) -> Iterator[Sample]:
    """Yield the samples of a prepared data set.

    Raises:
        DataError: Its record cannot be used, or an image has neither mask nor boxes.
    """
    record = read_record(folder)
    dataset = folder.resolve().name
    for image in sorted((folder / IMAGES).iterdir()):
        if image.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        mask = folder / MASKS / f"{image.stem}.png"
        boxes = folder / BOXES / f"{image.stem}.xml"
        if not mask.is_file() and not boxes.is_file():
            raise DataError(f"{image}: the image has no annotation; expected {mask} or {boxes}")
        yield Sample(
            name=f"{dataset}/{image.stem}",
            dataset=dataset,
            image=image,
            label=mask if mask.is_file() else boxes,
            kind=LabelKind.MASK if mask.is_file() else LabelKind.BOXES,
            classes_known=frozenset(record.classes_known),
            mask_ids=SAME_IDS,
            boxes=boxes if mask.is_file() and boxes.is_file() else None,
        )
