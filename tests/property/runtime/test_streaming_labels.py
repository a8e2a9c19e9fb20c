"""However a mask arrives, its components are those of the whole coil labelled at once."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stripscan.contract.rle import mask_of
from stripscan.runtime.stitching import Reach, StreamingLabeller
from unit.runtime.inspection_samples import components

Mask = NDArray[np.uint8]
Component = tuple[bytes, tuple[int, ...], tuple[float, ...]]


def spiral(size: int) -> Mask:
    """Return one line that winds inwards: open at many places until its middle has passed."""
    mask = np.zeros((size, size), np.uint8)
    line, px, down, right = 0, 0, 0, 1
    for length in [size - 1, *(n for n in range(size - 1, 0, -2) for _ in (0, 1))]:
        for _ in range(length):
            mask[line, px] = 1
            line, px = line + down, px + right
        down, right = right, -down
    return mask


def comb(teeth: int, length: int) -> Mask:
    """Return teeth that are joined only by their last line."""
    mask = np.zeros((length, 2 * teeth), np.uint8)
    mask[:, ::2] = 1
    mask[-1] = 2
    return mask


def nested_us(count: int) -> Mask:
    """Return U shapes in one another, each joined at its bottom."""
    mask = np.zeros((2 * count, 4 * count), np.uint8)
    for n in range(count):
        bottom = 2 * count - 1 - 2 * n
        mask[: bottom + 1, [2 * n, 4 * count - 1 - 2 * n]] = n % 3 + 1
        mask[bottom, 2 * n : 4 * count - 2 * n] = n % 3 + 1
    return mask


@st.composite
def noises(draw: st.DrawFn) -> Mask:
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 30)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.0, 0.03, 0.1, 0.3, 0.6, 1.0]))
    classes = random.integers(1, 4, shape)
    return np.where(random.random(shape) < density, classes, 0).astype(np.uint8)


shapes = st.one_of(
    st.builds(spiral, st.integers(3, 25)),
    st.builds(comb, st.integers(1, 8), st.integers(1, 20)),
    st.builds(nested_us, st.integers(1, 5)),
    st.builds(lambda n: np.eye(n, dtype=np.uint8)[:, ::-1].copy(), st.integers(1, 30)),
)
turned = st.builds(
    lambda mask, turns: np.ascontiguousarray(np.rot90(mask, turns)), shapes, st.integers(0, 3)
)
masks = st.one_of(noises(), turned)


def describe(pixels: Mask, mask: Mask, score: Mask) -> Component:
    classes = np.bincount(mask[pixels > 0], minlength=4)
    scores = np.bincount(mask[pixels > 0], weights=score[pixels > 0], minlength=4)
    return np.packbits(pixels > 0).tobytes(), tuple(classes.tolist()), tuple(scores.tolist())


def whole(mask: Mask, score: Mask, reach: Reach) -> list[Component]:
    labels = components(mask, reach_lines=reach.lines, reach_px=reach.px)
    return [describe((labels == n).astype(np.uint8), mask, score) for n in np.unique(labels) if n]


def streamed(mask: Mask, score: Mask, reach: Reach, cuts: list[int]) -> list[Component]:
    """Replay the steps as whoever keeps the components has to."""
    lines, width = mask.shape
    labeller = StreamingLabeller(width_px=width, reach=reach)
    bounds = sorted({0, lines} | {cut % (lines + 1) for cut in cuts})
    pushes = list(pairwise(bounds))
    steps = [labeller.push(mask[a:b], score[a:b]) for a, b in pushes]
    held = max(b - a for a, b in pushes) + 2 * reach.lines
    assert len(labeller._mask) == len(labeller._score) <= held
    steps.append(labeller.flush())
    assert labeller.next_line == lines

    pixels: dict[int, Mask] = {}
    classes: dict[int, NDArray[np.int64]] = {}
    scores: dict[int, NDArray[np.float64]] = {}
    dead: set[int] = set()
    closed: list[int] = []
    for step in steps:
        for gone, into in step.merged:
            assert into < gone
            assert not {gone, into} & dead
            dead.add(gone)
            for kept in (pixels, classes, scores):
                if gone in kept:
                    kept[into] = kept.get(into, 0) + kept.pop(gone)
        for piece in step.pieces:
            assert piece.component not in dead
            part = mask_of(piece.runs, first_line=0, lines=lines, width=width)
            number = piece.component
            pixels[number] = pixels.get(number, np.zeros_like(mask)) + part
            classes[number] = classes.get(number, 0) + piece.pixels[:4]
            scores[number] = scores.get(number, 0) + piece.score[:4]
        dead |= set(step.closed)
        closed += step.closed
    assert len(set(closed)) == len(closed)
    assert set(closed) == set(pixels)
    assert all(found.max() == 1 for found in pixels.values())
    return [
        (
            np.packbits(pixels[n] > 0).tobytes(),
            tuple(classes[n].tolist()),
            tuple(scores[n].tolist()),
        )
        for n in pixels
    ]


reaches = st.builds(Reach, lines=st.integers(0, 5), px=st.integers(0, 5))


@settings(max_examples=250)
@given(masks, st.lists(st.integers(0, 1000), max_size=40), reaches)
def test_any_cutting_gives_the_components_of_the_whole(
    mask: Mask, cuts: list[int], reach: Reach
) -> None:
    score = np.random.default_rng(1).integers(0, 256, mask.shape, np.uint8)
    assert sorted(streamed(mask, score, reach, cuts)) == sorted(whole(mask, score, reach))


@given(masks, reaches)
def test_line_by_line_is_as_good_as_at_once(mask: Mask, reach: Reach) -> None:
    score = np.full_like(mask, 200)
    by_line = streamed(mask, score, reach, list(range(len(mask) + 1)))
    assert sorted(by_line) == sorted(streamed(mask, score, reach, []))


@given(st.integers(0, 5), st.integers(0, 6), st.integers(1, 7))
def test_two_pieces_join_up_to_twice_the_reach(reach: int, gap: int, push: int) -> None:
    mask = np.zeros((gap + 6, 3), np.uint8)
    mask[2], mask[3 + gap] = 1, 1
    found = streamed(mask, mask, Reach(lines=reach, px=0), list(range(0, len(mask), push)))
    assert len(found) == (1 if gap <= 2 * reach else 2)


def test_memory_does_not_grow_with_the_coil() -> None:
    labeller = StreamingLabeller(width_px=16, reach=Reach(lines=3, px=3))
    mask = np.zeros((5, 16), np.uint8)
    mask[:, 7] = 1
    for _ in range(2000):
        labeller.push(mask, mask)
        assert len(labeller._mask) <= 2 * 3
    assert labeller.flush().closed == (0,)
