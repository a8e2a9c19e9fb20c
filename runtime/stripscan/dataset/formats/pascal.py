"""Pascal VOC: images and one XML file of boxes for each.

The file is found by the name of the image; what the XML says of names and folders is not trusted.
"""

from pathlib import Path
from typing import Final

from stripscan.contract.errors import DataError
from stripscan.dataset.formats.foreign import (
    ForeignImage,
    ForeignSet,
    Format,
    name_images,
    pictures_in,
    same_names,
)
from stripscan.dataset.voc import read_boxes

_IMAGES: Final = ("JPEGImages", "images")
_LABELS: Final = ("Annotations", "annotations")


def _folders(source: Path) -> tuple[Path, Path] | None:
    """Return the folders of images and of annotations."""
    images = next((source / name for name in _IMAGES if (source / name).is_dir()), None)
    labels = next((source / name for name in _LABELS if any((source / name).glob("*.xml"))), None)
    return (images, labels) if images and labels else None


def _read(source: Path) -> ForeignSet:
    folders = _folders(source)
    if folders is None:
        raise DataError(f"{source}: there are no {VOC.layout}")
    pictures, labels = folders
    paths = pictures_in(pictures)
    names = name_images(paths)
    files = {path: labels / path.relative_to(pictures).with_suffix(".xml") for path in paths}
    if orphans := sorted(set(labels.rglob("*.xml")) - set(files.values())):
        raise DataError(f"{orphans[0]}: there is no image of this annotation in {pictures}")
    images: list[ForeignImage] = []
    classes: dict[str, None] = {}
    for path, file in files.items():
        if not file.is_file():
            raise DataError(
                f"{path}: the image has no annotation; expected {file}, without an object where "
                f"the metal is clean"
            )
        boxes = read_boxes(file)
        classes |= dict.fromkeys(box.class_name for box in boxes)
        images.append(ForeignImage(name=names[path], path=path, boxes=boxes))
    return ForeignSet(
        classes=tuple(classes), images=tuple(images), default_map=same_names(tuple(classes))
    )


VOC: Final = Format(
    name="voc",
    layout="JPEGImages/ or images/ + Annotations/ or annotations/ with NAME.xml",
    found=lambda source: _folders(source) is not None,
    read=_read,
)
