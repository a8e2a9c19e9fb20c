import math

import numpy as np
import pytest

from stripscan.dataset.formats.polygons import fill_polygon


def test_a_rectangle_has_the_pixels_between_its_edges():
    region = fill_polygon([10, 20, 60, 20, 60, 50, 10, 50], (100, 80))
    expected = np.zeros((100, 80), bool)
    expected[20:50, 10:60] = True
    assert np.array_equal(region, expected)


def test_a_circle_has_its_area():
    angles = np.linspace(0, 2 * math.pi, 200, endpoint=False)
    points = np.stack([50.3 + 30 * np.cos(angles), 49.8 + 30 * np.sin(angles)], axis=1)
    area = fill_polygon(points.ravel().tolist(), (100, 100)).sum()
    assert area == pytest.approx(math.pi * 30**2, rel=0.02)


def test_the_whole_image_and_a_pixel_beyond_it():
    assert fill_polygon([-1, -0.4, 7, -1, 7, 5, -0.5, 5], (4, 6)).all()


def test_a_scratch_thinner_than_a_pixel_is_not_lost():
    region = fill_polygon([1.1, 0.6, 1.3, 0.6, 1.3, 3.9, 1.1, 3.9], (4, 6))
    assert np.flatnonzero(region.any(axis=0)).tolist() == [1]
    assert region[:, 1].all()


def test_a_sliver_on_the_far_edge_stays_inside():
    region = fill_polygon([6, 0, 6, 4, 6, 2], (4, 6))
    assert np.flatnonzero(region.any(axis=0)).tolist() == [5]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([1, 1, 2, 2], "4 numbers are no polygon"),
        ([1, 1, 2, 2, 3, 3, 4], "7 numbers are no polygon"),
        ([1, 1, 2, float("nan"), 3, 3], "no finite number"),
        ([0, 0, 7.1, 0, 3, 3], r"to 7\.1, 3\.0 px \(x, y\) and so out of the image of 6 x 4 px"),
        ([0, -1.5, 5, 0, 3, 3], r"from 0\.0, -1\.5"),
    ],
)
def test_impossible_polygons_are_named(numbers, said):
    with pytest.raises(ValueError, match=said):
        fill_polygon(numbers, (4, 6))
