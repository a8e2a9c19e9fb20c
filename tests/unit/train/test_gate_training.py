import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("albumentations")

from stripscan.contract.errors import DataError
from stripscan.dataset.reduction import reduced
from stripscan.train.gate_examples import CellExamples, Checked, FoundDefect, cells_of
from stripscan.train.gate_net import GateConfig
from stripscan.train.gate_trainer import choose_limit, count_passed, fit, logits_of, passes_at
from unit.runtime.inspection_samples import metal

pytestmark = pytest.mark.train


def test_cells_hold_any_pixel_or_nothing_else() -> None:
    pixels = np.zeros((32, 48), np.bool_)
    pixels[0:16, 0:16] = True
    pixels[16, 34] = True
    assert cells_of(pixels).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert cells_of(pixels, every=True).tolist() == [[1, 0, 0], [0, 0, 0]]
    assert cells_of(pixels, reach_px=3).tolist() == [[1, 1, 1], [1, 1, 1]]


def test_reduction_keeps_means_and_shows_steps_that_means_do_not() -> None:
    flat, stripes = np.full((16, 16), 100, np.uint8), np.full((16, 16), 90, np.uint8)
    stripes[:, 2::4] = stripes[:, 3::4] = 110  # steps of 20 in the halved image
    for image, rough in ((flat, 0), (stripes, 40)):
        mean, roughness = reduced(image)
        assert (mean == 100).all()
        assert (roughness[:, :-1] == rough).all()


def test_a_defect_passes_where_most_of_it_lies_in_tiles_that_do() -> None:
    logits = np.zeros((12, 12), np.float32)
    logits[0, 0], logits[0, 11], logits[11, 0] = 3.0, 2.0, 1.0  # the tiles' highest
    cells = np.zeros((12, 12), np.bool_)
    cells[2, 2:10] = True  # four cells in the tile of 3.0, four in that of 2.0
    assert passes_at(logits, FoundDefect(class_name="scratches", cells=cells)) == 3.0
    cells[2, 2] = False
    assert passes_at(logits, FoundDefect(class_name="scratches", cells=cells)) == 2.0
    cells[:] = False
    cells[9, 9] = True
    assert passes_at(logits, FoundDefect(class_name="scratches", cells=cells)) == 0.0


def spotted(count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return metal, every other time with a dark spot, and where that is."""
    rng = np.random.default_rng(3)
    images, masks = [], []
    for index in range(count):
        image, mask = metal(192, 192, seed=index), np.zeros((192, 192), np.bool_)
        if index % 2:
            top, left = rng.integers(0, 170, 2)
            mask[top : top + 20, left : left + 20] = True
            image[mask] = 60
        images.append(image)
        masks.append(mask)
    return images, masks


def test_a_gate_learns_to_pass_spots_and_to_hush_metal() -> None:
    images, masks = spotted(64)
    defect = np.stack([cells_of(mask) for mask in masks])
    known = defect | ~np.stack([cells_of(mask, reach_px=4) for mask in masks])
    examples = CellExamples(
        image=np.stack([reduced(image) for image in images]), defect=defect, known=known
    )
    config = GateConfig(widths=(8, 8, 8), epochs=15, batch=16, peak_lr=1e-2)
    losses: list[float] = []
    net = fit(examples, config, on_epoch=lambda _, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]
    pictures = [
        Checked(
            image=reduced(image),
            defects=(FoundDefect(class_name="inclusion", cells=cells_of(mask)),),
        )
        for image, mask in zip(images, masks, strict=True)
        if mask.any()
    ]
    limit = choose_limit(net, pictures, passed=0.9)
    figures = count_passed(
        net, limit, pictures, (reduced(metal(192, 192, seed=s)) for s in (98, 99))
    )
    assert (figures.defects, figures.clean_tiles) == ({"inclusion": 32}, 8)
    assert 29 <= figures.passed["inclusion"] <= 32
    assert figures.share_passed >= 0.9
    assert figures.clean_marked == 0
    assert logits_of(net, pictures[0].image).shape == (12, 12)


def test_a_limit_needs_defects() -> None:
    images, _ = spotted(1)
    examples = [Checked(image=reduced(images[0]), defects=())]
    with pytest.raises(DataError, match="finds no defect in the validation"):
        choose_limit(None, examples, passed=0.99)
