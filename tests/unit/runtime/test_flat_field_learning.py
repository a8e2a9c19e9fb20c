import numpy as np
import pytest

from stripscan.contract.block import LineRange
from stripscan.contract.errors import DataError
from stripscan.runtime.conditioning.flat_field import Flattener
from stripscan.runtime.conditioning.learning import LineSampler, learn, learn_dark
from unit.runtime.conditioning_samples import light, origin, seen, strip, taught
from unit.runtime.inspection_samples import block, metal

WIDTH, LINES = 300, 4000


def column_means(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float64).mean(axis=0)


def test_even_metal_is_even_after_it() -> None:
    field = taught(seen(metal(LINES, WIDTH), light(WIDTH)))
    means = column_means(Flattener(field).apply(seen(metal(LINES, WIDTH, seed=1), light(WIDTH))))
    assert np.ptp(means) < 4
    assert means.mean() == pytest.approx(field.level_grey, abs=1.5)
    assert field.learned.all()
    assert not field.dead.any()


def test_brighter_and_darker_stretches_and_defects_do_not_enter() -> None:
    plain = taught(seen(metal(LINES, WIDTH), light(WIDTH)))
    pixels = metal(LINES, WIDTH)
    pixels[:1400] = pixels[:1400] // 2
    pixels[1800:3000, 40:60] = 30
    busy = taught(seen(pixels, light(WIDTH)))
    assert np.abs(busy.gain / plain.gain - 1).max() < 0.02


def test_columns_beside_the_strip_carry_on_the_gain_at_its_edge() -> None:
    field = taught(seen(strip(LINES, WIDTH, 40, 260), light(WIDTH, 0.3)), detect=True)
    assert not field.learned[:40].any()
    assert field.learned[60:240].all()
    first = int(np.flatnonzero(field.learned)[0])
    assert 40 <= first <= 56
    assert np.all(field.gain[:first] == field.gain[first])
    assert not field.dead.any()


def test_dead_columns_are_found_and_their_neighbours_gain_is_taken() -> None:
    pixels = seen(strip(LINES, WIDTH, 30, 270), light(WIDTH, 0.2))
    pixels[:, 100] = 0  # black
    pixels[:, 150:153] = 255  # stuck
    pixels[:, 200] = 120  # plausible, but it never moves
    pixels[:, 10] = 90  # beside the strip
    field = taught(pixels, detect=True)
    assert np.flatnonzero(field.dead).tolist() == [10, 100, 150, 151, 152, 200]
    assert np.all(np.abs(np.diff(field.gain)) < 0.1)


def test_what_cannot_be_mended_is_refused_with_its_columns() -> None:
    covered = metal(LINES, WIDTH)
    covered[:, 60:66] = 4
    with pytest.raises(DataError, match="columns 60 to 65 do not follow the light: 6 dead"):
        taught(covered)
    with pytest.raises(DataError, match=r"columns 0–\d+, .* would need a gain up to"):
        taught(seen(metal(LINES, WIDTH), light(WIDTH, 0.93)))
    with pytest.raises(DataError, match="13 usable lines are too few"):
        taught(metal(100, WIDTH))


def test_blocks_without_metal_and_lost_lines_do_not_count() -> None:
    sampler = LineSampler(width_px=WIDTH, mm_per_px=0.5, detect=True, lines=1000, dark=False)
    good = metal(80, WIDTH)
    sampler.push(block(good, 0))
    sampler.push(block(good, 80))  # repeated
    sampler.push(block(np.full((80, WIDTH), 5, np.uint8), 160))
    sampler.push(block(metal(80, WIDTH, seed=2), 240, lost=(LineRange(start=240, stop=280),)))
    assert (sampler.count, sampler.blocks) == (15, 2)


def test_the_dark_is_taken_off() -> None:
    dark = np.random.default_rng(0).integers(5, 8, (200, WIDTH), np.uint8)
    dark[:, 33] = 60  # hot
    reference = learn_dark(dark, origin=origin("dark"))
    assert np.flatnonzero(reference.dead).tolist() == [33]
    pixels = seen(metal(LINES, WIDTH), light(WIDTH), offset=6)
    edges = np.repeat(np.array([[0, WIDTH]], np.float32), LINES, axis=0)
    field = learn(pixels, edges, origin=origin(), dark=reference)
    even = Flattener(field).apply(seen(metal(400, WIDTH) // 2, light(WIDTH), offset=6))
    assert np.ptp(column_means(even)) < 4  # without the offset the ends would be far brighter
    with pytest.raises(DataError, match="the image is not dark"):
        learn_dark(metal(200, WIDTH), origin=origin("dark"))
