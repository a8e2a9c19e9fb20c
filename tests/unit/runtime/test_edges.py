import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stripscan.runtime.edges import StripEdges
from unit.runtime.inspection_samples import metal

WIDTH = 200


def strip(lines: int, left: int = 30, right: int = 170) -> NDArray[np.uint8]:
    pixels = metal(lines, WIDTH)
    pixels[:, :left] = 3
    pixels[:, right:] = 3
    return pixels


def edges_of(pixels: NDArray[np.uint8], *, detect: bool = True) -> NDArray[np.float32]:
    return StripEdges(width_px=WIDTH, detect=detect).push(pixels)


def test_a_strip_that_fills_the_view_is_not_looked_at() -> None:
    assert edges_of(strip(20), detect=False).tolist() == [[0, WIDTH]] * 20


def test_edges_are_found_to_the_width_of_the_smoothing() -> None:
    edges = edges_of(strip(100))
    assert edges.shape == (100, 2)
    assert edges.dtype == np.float32
    assert np.abs(edges - [30, 170]).max() <= 4


def test_a_dark_spot_on_the_edge_does_not_move_it() -> None:
    pixels = strip(120)
    plain = edges_of(pixels)
    pixels[50:66, 20:80] = 3
    assert np.array_equal(edges_of(pixels), plain)


def test_a_bright_spot_beside_the_strip_does_not_move_it() -> None:
    pixels = strip(120)
    plain = edges_of(pixels)
    pixels[50:66, 2:8] = 200
    assert np.array_equal(edges_of(pixels), plain)


def test_a_strip_that_wanders_is_followed() -> None:
    pixels = np.concatenate([strip(200), strip(200, left=42, right=182)])
    edges = edges_of(pixels)
    assert np.abs(edges[:200] - [30, 170]).max() <= 4
    assert np.abs(edges[232:] - [42, 182]).max() <= 4


def test_lines_without_metal_keep_the_edges_and_span_the_view_at_the_head() -> None:
    dark = np.full((64, WIDTH), 3, np.uint8)
    edges = edges_of(np.concatenate([dark, strip(64), dark]))
    assert edges[:64].tolist() == [[0, WIDTH]] * 64
    assert np.array_equal(edges[128:], np.repeat(edges[127:128], 64, axis=0))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 199), max_size=30), st.integers(0, 100))
def test_edges_do_not_depend_on_how_the_lines_arrive(cuts: list[int], seed: int) -> None:
    pixels = strip(200)
    columns = np.random.default_rng(seed).integers(0, 40, 200)
    for line, px in enumerate(columns):
        pixels[line] = np.roll(pixels[line], px - 20)
    tracker = StripEdges(width_px=WIDTH, detect=True)
    pieces = [tracker.push(p) for p in np.split(pixels, sorted(set(cuts)))]
    assert np.array_equal(np.concatenate(pieces), edges_of(pixels))


@pytest.mark.parametrize("detect", [True, False])
def test_every_line_has_edges(detect: bool) -> None:
    tracker = StripEdges(width_px=WIDTH, detect=detect)
    assert [len(tracker.push(strip(n))) for n in (1, 3, 7, 20)] == [1, 3, 7, 20]
