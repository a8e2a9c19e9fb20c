import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.errors import DataError
from stripscan.dataset.images import pixel_digest, read_ids, read_mono

RAMP = np.arange(256, dtype=np.uint8).reshape(8, 32)


def write(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_lossless_mono_comes_back_as_stored(tmp_path, suffix):
    image = read_mono(write(tmp_path / f"a{suffix}", RAMP))

    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, RAMP)


def test_jpeg_is_read(tmp_path):
    flat = np.full((16, 24), 90, np.uint8)

    np.testing.assert_array_equal(read_mono(write(tmp_path / "a.jpg", flat)), flat)


def test_colour_is_weighted_to_luma(tmp_path):
    bgr = np.zeros((4, 4, 3), np.uint8)
    bgr[..., 2] = 255

    assert set(read_mono(write(tmp_path / "red.png", bgr)).ravel().tolist()) == {76}


def test_16_bit_is_refused_with_its_range(tmp_path):
    path = write(tmp_path / "deep.png", np.array([[7, 4095]], np.uint16))

    with pytest.raises(DataError, match=r"deep\.png.*16 bits.*7 to 4095.*same curve"):
        read_mono(path)


def test_16_bit_is_scaled_over_the_whole_range_when_asked(tmp_path):
    path = write(tmp_path / "deep.tif", np.array([[0, 257, 32768, 65535]], np.uint16))

    assert read_mono(path, scale_16bit=True).tolist() == [[0, 1, 128, 255]]


def test_floating_point_is_refused(tmp_path):
    path = write(tmp_path / "float.tif", np.array([[0.5, 2.0]], np.float32))

    with pytest.raises(DataError, match="float32"):
        read_mono(path)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"BM\0\0"])
def test_unreadable_files_are_named(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"broken\.png"):
        read_mono(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.png"):
        read_mono(tmp_path / "nowhere.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_cut_file_is_no_clean_metal(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    path = write(tmp_path / f"cut{suffix}", noise)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(DataError, match="ends early"):
        read_mono(path)


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + b"\0\0\0\0IEND\xaeB`\x82"
    )


def jpeg_header(width: int, height: int) -> bytes:
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"note"
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\0"
    return b"\xff\xd8" + comment + frame + b"\xff\xda\0\x02\xff\xd9"


def tiff_header(width: int, height: int) -> bytes:
    entry = struct.Struct("<HHII")
    return (
        b"II*\0"
        + struct.pack("<IH", 8, 2)
        + entry.pack(256, 4, 1, width)
        + entry.pack(257, 4, 1, height)
    )


@pytest.mark.parametrize(
    "content",
    [
        png_header(20_000, 20_000),
        jpeg_header(20_000, 20_000),
        tiff_header(20_000, 20_000),
        b"BM" + bytes(16) + struct.pack("<ii", 20_000, -20_000),
    ],
    ids=["png", "jpeg", "tiff", "bmp"],
)
def test_giant_pictures_are_refused_by_their_header(tmp_path, content):
    path = tmp_path / "giant"
    path.write_bytes(content)

    with pytest.raises(DataError, match="20000 x 20000 px"):
        read_mono(path)


def test_ids_are_not_touched(tmp_path):
    mask = np.array([[0, 1, 6, 255]], np.uint8)

    np.testing.assert_array_equal(read_ids(write(tmp_path / "m.png", mask)), mask)


@pytest.mark.parametrize(
    "mask", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16)], ids=["colour", "16 bit"]
)
def test_a_mask_without_plain_ids_is_refused(tmp_path, mask):
    with pytest.raises(DataError, match="class ids"):
        read_ids(write(tmp_path / "m.png", mask))


def test_digest_is_of_the_pixels_and_not_of_the_file(tmp_path):
    as_png = read_mono(write(tmp_path / "a.png", RAMP))
    as_bmp = read_mono(write(tmp_path / "a.bmp", RAMP))

    assert pixel_digest(as_png) == pixel_digest(as_bmp) == pixel_digest(RAMP)
    assert len(pixel_digest(RAMP)) == 16
    assert pixel_digest(RAMP) != pixel_digest(RAMP.reshape(16, 16))
    assert pixel_digest(RAMP) == pixel_digest(np.asfortranarray(RAMP))
