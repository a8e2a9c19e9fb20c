"""COCO instance segmentation: a JSON file with polygons or run lengths, and images."""

from collections import defaultdict
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.canvas import Canvas
from stripscan.dataset.formats.foreign import (
    ForeignImage,
    ForeignSet,
    Format,
    name_images,
    same_names,
)
from stripscan.dataset.formats.polygons import fill_polygon
from stripscan.dataset.formats.runs import Mask, mask_of_counts, parse_counts
from stripscan.dataset.record import RECORD_NAME


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Image(_Part):
    id: int | str
    file_name: str
    width: int | None = None
    height: int | None = None


class _Category(_Part):
    id: int | str
    name: str


class _Runs(_Part):
    size: tuple[int, int]
    counts: str | tuple[int, ...]


class _Annotation(_Part):
    id: int | str | None = None
    image_id: int | str
    category_id: int | str
    segmentation: tuple[tuple[float, ...], ...] | _Runs | None = None
    iscrowd: bool = False


class _Document(_Part):
    images: tuple[_Image, ...]
    annotations: tuple[_Annotation, ...]
    categories: tuple[_Category, ...]


_Placed = tuple[str, str, _Annotation]
"""Where an annotation stands, its class and itself."""


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix.lower() == ".json" else []
    found = [*source.glob("*.json"), *source.glob("annotations/*.json")]
    found += source.glob("*/_annotations.coco.json")
    return sorted(path for path in found if path.name != RECORD_NAME)


def _read(source: Path) -> ForeignSet:
    files = _files(source)
    if not files:
        raise DataError(f"{source}: there is no JSON file here or in annotations/")
    root = source.parent if source.is_file() else source
    classes: dict[str, None] = {}
    labels: dict[Path, tuple[Path, _Image, list[_Placed]]] = {}
    for file in files:
        document = _document(file)
        classes |= dict.fromkeys(category.name for category in document.categories)
        for image, placed in _by_image(file, document):
            path = _picture(file, root, image)
            if path in labels:
                raise DataError(
                    f"{path}: is labelled twice, in {labels[path][0]} and in {file}; give the one "
                    f"that counts as the source"
                )
            labels[path] = (file, image, placed)
    names = name_images(sorted(labels))
    images = [
        ForeignImage(name=names[path], path=path, paint=partial(_paint, *labels[path]))
        for path in sorted(labels)
    ]
    return ForeignSet(
        classes=tuple(classes), images=tuple(images), default_map=same_names(tuple(classes))
    )


def _document(file: Path) -> _Document:
    try:
        return _Document.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise DataError(
            f"{file}: is no COCO file: {place}{': ' if place else ''}{problem['msg']}; it needs "
            f"images, annotations and categories"
        ) from error


def _by_image(file: Path, document: _Document) -> list[tuple[_Image, list[_Placed]]]:
    """Return each image with its annotations."""
    names = {category.id: category.name for category in document.categories}
    images = {image.id: image for image in document.images}
    for things, ids in (("categories", names), ("images", images)):
        if len(ids) < len(getattr(document, things)):
            raise DataError(f"{file}: two {things} have the same id; give each its own")
    placed: dict[int | str, list[_Placed]] = defaultdict(list)
    for number, annotation in enumerate(document.annotations):
        place = f"{file}, annotations.{number}"
        if annotation.id is not None:
            place += f" (id {annotation.id})"
        if annotation.image_id not in images:
            raise DataError(f"{place}: there is no image with the id {annotation.image_id}")
        if annotation.category_id not in names:
            raise DataError(f"{place}: there is no category with the id {annotation.category_id}")
        placed[annotation.image_id].append((place, names[annotation.category_id], annotation))
    return [(image, placed[image.id]) for image in document.images]


def _picture(file: Path, root: Path, image: _Image) -> Path:
    """Return the file of an image; where it lies, the JSON file does not say."""
    name = PurePosixPath(image.file_name.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise DataError(
            f"{file}: image {image.id} has the file_name '{image.file_name}', which leads out of "
            f"the data set; write it relative to the folder of the images"
        )
    part = file.stem.removeprefix("instances_")
    places = [file.parent, file.parent / "images", root, root / "images", root / part]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise DataError(
        f"{file}: image {image.id}, '{image.file_name}', is in none of "
        f"{', '.join(dict.fromkeys(map(str, places)))}"
    )


def _paint(file: Path, image: _Image, placed: list[_Placed], canvas: Canvas) -> None:
    height, width = canvas.shape
    stated = (image.width or width, image.height or height)
    if stated != (width, height):
        raise DataError(
            f"the image has {width} x {height} px, {file} says {stated[0]} x {stated[1]} px; "
            f"take the images that were labelled"
        )
    for place, theirs, annotation in placed:
        try:
            region = _region(annotation, canvas.shape)
        except ValueError as error:
            raise DataError(f"{place}: {error}; correct the annotation") from error
        if annotation.iscrowd:
            canvas.hide(region)
        else:
            canvas.paint(theirs, region)


def _region(annotation: _Annotation, shape: tuple[int, int]) -> Mask:
    outline = annotation.segmentation
    if not outline:
        raise ValueError("it has no segmentation, and a box is no mask")
    if isinstance(outline, _Runs):
        if outline.size != shape:
            raise ValueError(
                f"its size (height, width) is {outline.size}, that of the image is {shape}"
            )
        counts = outline.counts
        return mask_of_counts(parse_counts(counts) if isinstance(counts, str) else counts, shape)
    region = fill_polygon(outline[0], shape)
    for polygon in outline[1:]:
        region |= fill_polygon(polygon, shape)
    return region


COCO: Final = Format(
    name="coco",
    layout="a JSON file, or a folder with one there, in annotations/, or as "
    "PART/_annotations.coco.json",
    found=lambda source: bool(_files(source)),
    read=_read,
)
