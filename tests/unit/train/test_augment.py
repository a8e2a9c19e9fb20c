import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

torch = pytest.importorskip("torch")
pytest.importorskip("albumentations")

from stripscan.dataset.samples import Labelled
from stripscan.train.augment import (
    BOXES,
    BOXES_KNOWN,
    KNOWN,
    TARGET,
    Augmented,
    Augmenter,
    pack,
    padded,
    planes_of,
)
from stripscan.train.module import unpack

pytestmark = pytest.mark.train


def unpacked(bits: np.ndarray, classes: int) -> np.ndarray:
    planes = unpack(torch.from_numpy(bits)[None, None], classes=classes)
    return planes[0].numpy().astype(bool)


@given(
    planes=arrays.arrays(
        bool, st.tuples(st.integers(1, 8), st.integers(1, 9), st.integers(1, 9)), fill=st.nothing()
    )
)
def test_labels_survive_packing(planes: np.ndarray) -> None:
    bits = pack(planes)
    assert bits.dtype == np.uint8
    assert bits.shape == planes.shape[1:]
    assert np.array_equal(unpacked(bits, len(planes)), planes)


def vary(augmenter: Augmenter, labelled: Labelled) -> Augmented:
    return augmenter(labelled.image, planes_of(labelled))


def plain(image: np.ndarray, target: np.ndarray) -> Labelled:
    """Return a label that knows everything and has no boxes."""
    return Labelled(image=image, target=target, known=np.ones_like(target))


def marked(size: int = 90) -> Labelled:
    """Return an image that is bright exactly where class 2 is, and where class 5 is unknown."""
    target = np.zeros((6, size, size), bool)
    target[1, 10:40, 20:70] = True
    target[1, 60:80, 5:25] = True
    known = np.ones_like(target)
    known[4] = ~target[1]
    image = np.where(target[1], 165, 60).astype(np.uint8)
    return Labelled(image=image, target=target, known=known, boxes=target)


def test_the_same_seed_gives_the_same_variants() -> None:
    example = marked()
    one, again, other = (Augmenter(crop_px=64, seed=seed) for seed in (3, 3, 4))
    first = [vary(one, example) for _ in range(5)]
    second = [vary(again, example) for _ in range(5)]
    third = [vary(other, example) for _ in range(5)]
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.labels[TARGET], b.labels[TARGET])
        assert np.array_equal(a.labels[KNOWN], b.labels[KNOWN])
    assert not any(np.array_equal(a.image, c.image) for a, c in zip(first, third, strict=True))
    assert not np.array_equal(first[0].image, first[1].image)


def test_labels_move_with_the_metal() -> None:
    augmenter = Augmenter(crop_px=64, seed=5, edges=0)
    for _ in range(40):
        variant = vary(augmenter, marked())
        assert variant.image.shape == (64, 64)
        assert variant.labels[TARGET].shape == variant.labels[KNOWN].shape == (64, 64)
        target, known = unpacked(variant.labels[TARGET], 6), unpacked(variant.labels[KNOWN], 6)
        inside = known[0]
        there, elsewhere = (variant.image[inside & side].mean() for side in (target[1], ~target[1]))
        assert there > elsewhere + 20
        bright = variant.image > (there + elsewhere) / 2
        assert np.mean(bright[inside] == target[1][inside]) > 0.93
        assert not target[[0, 2, 3, 4, 5]].any()
        assert np.array_equal(known[4], inside & ~target[1])
        assert np.array_equal(variant.labels[BOXES], variant.labels[TARGET])
        assert (variant.labels[BOXES_KNOWN] == np.where(inside, 0b111111, 0)).all()


def test_without_boxes_nothing_is_known_of_them() -> None:
    example = marked()
    variant = vary(Augmenter(crop_px=64, seed=5), plain(example.image, example.target))
    assert not variant.labels[BOXES].any()
    assert not variant.labels[BOXES_KNOWN].any()


def test_the_strip_may_end_and_beside_it_is_no_defect() -> None:
    augmenter = Augmenter(crop_px=64, seed=9)
    example = plain(np.full((64, 64), 160, np.uint8), np.ones((6, 64, 64), bool))
    ends = 0
    for _ in range(150):
        variant = vary(augmenter, example)
        beside = (variant.labels[TARGET] == 0) & (variant.labels[KNOWN] > 0)
        ends += bool(beside.any())
        if beside.any():
            assert variant.image[beside].mean() < 30
            assert variant.image[variant.labels[TARGET] > 0].mean() > 60
    assert 3 <= ends <= 30


def test_what_padding_adds_is_unknown() -> None:
    augmenter = Augmenter(crop_px=64, seed=6, edges=0)
    target = np.ones((6, 40, 40), bool)
    for _ in range(20):
        variant = vary(augmenter, plain(np.full((40, 40), 128, np.uint8), target))
        known = unpacked(variant.labels[KNOWN], 6)
        rows, columns = known[0].any(axis=1).sum(), known[0].any(axis=0).sum()
        assert 32 <= rows == columns <= 54  # 40 px, scaled by 0.8 to 1.35
        assert known.sum() == 6 * rows * columns
        assert np.array_equal(variant.labels[TARGET], variant.labels[KNOWN])


def test_lines_across_the_strip_stay_across() -> None:
    lines = np.repeat(np.where(np.arange(24) % 2, 180, 60), 4).astype(np.uint8)
    image = np.tile(lines[:, None], (1, 96))
    target = np.zeros((6, 96, 96), bool)
    target[5] = image > 100
    augmenter = Augmenter(crop_px=64, seed=7, edges=0)
    for _ in range(60):
        variant = vary(augmenter, plain(image, target))
        grey = variant.image.astype(float)
        assert grey.mean(axis=1).std() > 1.5 * grey.mean(axis=0).std()
        scratches = unpacked(variant.labels[TARGET], 6)[5]
        assert (scratches == scratches[:, :1]).all()


def corners_of_a_mark() -> set[tuple[bool, bool]]:
    """Return in which corners (bottom, right) a mark from the top left ends up."""
    image = np.full((64, 64), 100, np.uint8)
    target = np.zeros((6, 64, 64), bool)
    target[0, :20, :20] = True
    augmenter = Augmenter(crop_px=64, seed=8, edges=0)
    corners = set()
    for _ in range(80):
        variant = vary(augmenter, plain(image, target))
        known, mark = np.argwhere(variant.labels[KNOWN]), np.argwhere(variant.labels[TARGET])
        corners.add(tuple((mark.mean(axis=0) > known.mean(axis=0)).tolist()))
    return corners


def test_the_metal_is_turned_around() -> None:
    assert corners_of_a_mark() >= {(False, False), (True, True)}


def test_the_metal_is_mirrored_along_and_across() -> None:
    assert len(corners_of_a_mark()) == 4


def test_light_varies() -> None:
    image = np.full((64, 64), 100, np.uint8)
    target = np.zeros((6, 64, 64), bool)
    augmenter = Augmenter(crop_px=32, seed=8)
    means = [vary(augmenter, plain(image, target)).image.mean() for _ in range(120)]
    assert min(means) < 75
    assert max(means) > 125


@pytest.mark.parametrize(
    ("height", "width", "padded_height", "padded_width"),
    [(200, 200, 224, 224), (64, 40, 64, 64), (33, 96, 64, 96)],
)
def test_validation_mirrors_the_metal_and_knows_nothing_of_the_mirror(
    height: int, width: int, padded_height: int, padded_width: int
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (height, width), np.uint8)
    target = np.ones((6, height, width), bool)
    example = padded(image, planes_of(plain(image, target)), multiple=32)
    assert example.image.shape == (padded_height, padded_width)
    assert np.array_equal(example.image[:height, :width], image)
    mirrored = np.pad(
        image, ((0, padded_height - height), (0, padded_width - width)), mode="reflect"
    )
    assert np.array_equal(example.image, mirrored)
    assert np.count_nonzero(example.labels[KNOWN]) == height * width
    assert (example.labels[KNOWN][:height, :width] == 0b111111).all()
    assert np.array_equal(example.labels[TARGET], example.labels[KNOWN])


def test_of_a_large_image_every_part_is_seen() -> None:
    image = np.tile(np.arange(200, dtype=np.uint8), (64, 3))
    places = np.zeros((6, 64, 600), bool)
    for c in range(6):
        places[c, :, c * 100 : c * 100 + 100] = True
    augmenter = Augmenter(crop_px=32, seed=3, edges=0)
    seen = np.zeros(6, bool)
    for _ in range(60):
        seen |= unpacked(vary(augmenter, plain(image, places)).labels[TARGET], 6).any(axis=(1, 2))
    assert seen.all()
