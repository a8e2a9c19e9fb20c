"""Reads pictures to 8-bit mono, and says what is wrong with those that it cannot read."""

import hashlib
import struct
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import DataError

IMAGE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})
"""File name endings, in lower case, of the formats that are read."""

MAX_PIXELS: Final = 200_000_000
"""Largest picture that is decoded, in pixels."""

_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_mono(path: Path, *, scale_16bit: bool = False) -> NDArray[np.uint8]:
    """Return a picture as 8-bit mono.

    Colour is weighted to luma (ITU-R BT.601); transparency and the EXIF orientation are ignored,
    so that pixels stay where an annotation has them.

    Args:
        path: PNG, JPEG, BMP or TIFF.
        scale_16bit: Map 16-bit values 0-65535 linearly to 0-255. Without it a 16-bit picture is
            refused, because a camera that fills 12 of 16 bits would turn black.

    Returns:
        uint8 ``[H, W]``, 0-255.

    Raises:
        DataError: The file is missing, empty, damaged, of another format, larger than
            ``MAX_PIXELS``, or has 16 bits and ``scale_16bit`` is off.
    """
    image = read_grey(path)
    if image.dtype == np.uint16:
        if not scale_16bit:
            raise DataError(
                f"{path}: the image has 16 bits (values {image.min()} to {image.max()}); stripscan "
                f"works on 8 bits. Convert it, and all others of that camera by the same curve"
            )
        return np.asarray(np.rint(image / 257.0), np.uint8)
    return np.asarray(image, np.uint8)


def read_grey(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return a picture as mono of the depth that its file has, colour as ``read_mono`` weights it.

    Args:
        path: PNG, JPEG, BMP or TIFF.

    Returns:
        uint8 or uint16 ``[H, W]``.

    Raises:
        DataError: See ``read_mono``.
    """
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    image: NDArray[Any] = _decode(path, flags)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.dtype not in (np.uint8, np.uint16) or image.ndim != 2:
        raise DataError(
            f"{path}: the image has values of type {image.dtype} in the shape {image.shape}; "
            f"save it as an 8-bit mono or colour image"
        )
    return image


def read_ids(path: Path) -> NDArray[np.uint8]:
    """Return a mask of class ids exactly as stored.

    Returns:
        uint8 ``[H, W]``.

    Raises:
        DataError: The file cannot be read, or has a palette, colours or more than 8 bits, so
            that its values are no ids.
    """
    mask = _decode(path, cv2.IMREAD_UNCHANGED)
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise DataError(
            f"{path}: a mask must be an 8-bit image of one channel without a palette, holding "
            f"class ids; this one has the shape {mask.shape} of {mask.dtype}"
        )
    return np.asarray(mask, np.uint8)


def pixel_digest(image: NDArray[np.uint8]) -> str:
    """Return 16 hex digits that identify the pixels of a picture, whatever file holds them.

    SHA-256 over the shape and the decoded pixels. Two JPEG libraries may round a pixel
    differently, so digests of JPEG files compare on machines with the same decoder.
    """
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()[:16]


def _decode(path: Path, flags: int) -> NDArray[np.generic]:
    data = _read_bytes(path)
    size = _header_size(data)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise DataError(
            f"{path}: the image has {size[0]} x {size[1]} px; the limit is "
            f"{MAX_PIXELS // 1_000_000} Mpx. Cut it into smaller pictures"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DataError(f"{path}: the image cannot be decoded ({error.err})") from error
    if image is None or image.size == 0:
        raise DataError(
            f"{path}: the file is damaged or no picture; stripscan reads PNG, JPEG, BMP and TIFF"
        )
    return np.asarray(image)


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the image cannot be read ({error.strerror})") from error
    if not data:
        raise DataError(f"{path}: the file is empty (0 bytes); copy it again")
    # Decoders fill the missing part of a cut file with grey, which would pass for clean metal.
    cut_jpeg = data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    cut_png = data.startswith(b"\x89PNG") and b"IEND" not in data[-64:]
    if cut_jpeg or cut_png:
        raise DataError(f"{path}: the file ends early ({len(data)} bytes); copy it again")
    return data


def _header_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels from the header, None where it has none that is known."""
    try:
        if data.startswith(b"\x89PNG"):
            width, height = struct.unpack_from(">II", data, 16)
        elif data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
        elif data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        elif data[:4] in (b"II*\0", b"MM\0*"):
            return _tiff_size(data)
        else:
            return None
    except struct.error:
        return None
    return abs(width), abs(height)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the segments to the frame header (ITU-T T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 1 if data[at + 1] == 0xFF else 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    """Look up the tags 256 and 257 of the first directory (TIFF 6.0, section 2)."""
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, at)
    found: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in (256, 257):
            (found[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    return (found[256], found[257]) if len(found) == 2 else None
