import cv2
import numpy as np
import pytest

from stripscan.contract.defect import Defect, DefectPhase
from stripscan.runtime.store_records import Picture
from stripscan.runtime.window import LineWindow

MARGIN = 24
WIDTH = 600


def a_defect(lines: tuple[int, int], columns: tuple[int, int]) -> Defect:
    return Defect(
        coil="c1",
        number=1,
        phase=DefectPhase.END,
        class_name="scratches",
        confidence=1.0,
        class_share={"scratches": 1.0},
        severity="minor",
        along_start_m=0.0,
        along_end_m=1.0,
        across_left_mm=0.0,
        across_right_mm=1.0,
        area_mm2=1.0,
        length_mm=1.0,
        width_mm=1.0,
        edge_left_mm=0.0,
        edge_right_mm=0.0,
        first_line=lines[0],
        last_line=lines[1],
        first_px=columns[0],
        last_px=columns[1],
        area_px=1,
    )


def coil() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1000, WIDTH), np.uint8)


def window(*, lines: int = 1000, picture_px: int = 256) -> LineWindow:
    kept = LineWindow(width_px=WIDTH, lines=lines, picture_px=picture_px)
    for part in np.split(coil(), 10):
        kept.push(part)
    return kept


def shown(picture: Picture | None) -> np.ndarray:
    assert picture is not None
    return cv2.imdecode(np.frombuffer(picture.image_png, np.uint8), cv2.IMREAD_GRAYSCALE)


def place(picture: Picture | None) -> tuple[int, int, int, int]:
    assert picture is not None
    return picture.first_line, picture.first_px, picture.lines, picture.width


def test_a_picture_shows_the_very_pixels_around_the_defect() -> None:
    picture = window().picture(a_defect((300, 339), (100, 119)))
    assert place(picture) == (300 - MARGIN, 100 - MARGIN, 40 + 2 * MARGIN, 20 + 2 * MARGIN)
    assert np.array_equal(shown(picture), coil()[276:364, 76:144])


def test_it_ends_at_the_edges_of_what_is_there() -> None:
    assert place(window().picture(a_defect((0, 5), (0, 5)))) == (0, 0, 30, 30)
    last = window().picture(a_defect((990, 999), (590, 599)))
    assert place(last) == (966, 566, 34, 34)


def test_of_a_long_defect_the_end_is_shown() -> None:
    picture = window().picture(a_defect((0, 899), (100, 119)))
    assert place(picture) == (900 + MARGIN - 256, 76, 256, 68)
    assert np.array_equal(shown(picture), coil()[668:924, 76:144])


def test_a_wide_defect_is_scaled_down_and_not_cropped() -> None:
    picture = window().picture(a_defect((300, 309), (0, 599)))
    assert place(picture) == (276, 0, 58, 600)
    assert shown(picture).shape == (round(58 * 256 / 600), 256)


@pytest.mark.parametrize("picture_px", [32, 100])
def test_no_picture_is_larger_than_asked_for(picture_px: int) -> None:
    picture = window(picture_px=picture_px).picture(a_defect((200, 700), (100, 400)))
    assert max(shown(picture).shape) == picture_px


def test_what_has_left_the_window_is_not_shown() -> None:
    short = window(lines=200)
    assert short.picture(a_defect((100, 400), (0, 9))) is None
    part = short.picture(a_defect((100, 820), (0, 9)))
    assert place(part) == (700, 0, 821 + MARGIN - 700, 10 + MARGIN)
    assert np.array_equal(shown(part), coil()[700:845, :34])
