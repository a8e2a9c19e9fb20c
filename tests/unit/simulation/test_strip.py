import numpy as np
import pytest

from stripscan.contract.classes import CLASS_ID, NEU_CLASSES
from stripscan.contract.errors import ConfigError
from stripscan.simulation.planting import GAP_PX
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import PlantedDefect, Rendered, SimulatedStrip

SPEC = StripSpec(width_px=640, length_m=4.0, defects_per_class=2, seed=3)


@pytest.fixture(scope="module")
def strip() -> SimulatedStrip:
    return SimulatedStrip(SPEC)


@pytest.fixture(scope="module")
def coil(strip: SimulatedStrip) -> Rendered:
    return strip.render(0, strip.total_lines)


def test_the_records_are_the_masks(strip: SimulatedStrip, coil: Rendered) -> None:
    assert len(strip.planted) == 2 * len(NEU_CLASSES)
    for defect in strip.planted:
        lines, columns = np.nonzero(coil.number == defect.number)
        assert defect == PlantedDefect(
            number=defect.number,
            class_name=defect.class_name,
            first_line=lines.min(),
            last_line=lines.max(),
            first_px=columns.min(),
            last_px=columns.max(),
            area_px=lines.size,
        )
        assert np.unique(coil.mask[lines, columns]).tolist() == [CLASS_ID[defect.class_name]]
    assert np.array_equal(coil.mask > 0, coil.number > 0)


def test_defects_keep_apart(strip: SimulatedStrip) -> None:
    for one in strip.planted:
        for other in strip.planted[one.number :]:
            along = max(one.first_line, other.first_line) - min(one.last_line, other.last_line)
            across = max(one.first_px, other.first_px) - min(one.last_px, other.last_px)
            assert max(along, across) > GAP_PX


def test_some_defects_cross_borders_of_blocks_and_tiles(strip: SimulatedStrip) -> None:
    assert sum(d.first_line // 256 != d.last_line // 256 for d in strip.planted) >= 4
    assert sum(d.first_px // 224 != d.last_px // 224 for d in strip.planted) >= 2


def test_defects_lie_on_the_metal(strip: SimulatedStrip, coil: Rendered) -> None:
    edges = strip.edges(0, strip.total_lines)
    lines, columns = np.nonzero(coil.mask)
    assert (columns >= edges[lines, 0]).all()
    assert (columns + 1 <= edges[lines, 1]).all()


def test_it_is_dark_beside_the_edges_and_light_between(
    strip: SimulatedStrip, coil: Rendered
) -> None:
    edges = strip.edges(0, strip.total_lines)
    centre = np.arange(SPEC.width_px) + 0.5
    outside = (centre < edges[:, :1] - 1) | (centre > edges[:, 1:] + 1)
    inside = (centre > edges[:, :1] + 1) & (centre < edges[:, 1:] - 1) & (coil.mask == 0)
    assert 5 <= coil.pixels[outside].mean() <= 15
    assert coil.pixels[outside].max() < 30
    assert 60 <= coil.pixels[inside].mean() <= 170
    assert np.percentile(coil.pixels[inside], 1) > 40


def test_edges_wander_by_no_more_than_asked() -> None:
    strip = SimulatedStrip(
        StripSpec(width_px=400, length_m=100, strip_width_px=300, wander_px=5, defects_per_class=0)
    )
    edges = strip.edges(0, strip.total_lines)
    assert edges.shape == (200_000, 2)
    assert edges.dtype == np.float32
    assert np.abs(edges[:, 0] - 50).max() <= 5
    assert np.ptp(edges[:, 0]) > 5
    assert np.allclose(edges[:, 1] - edges[:, 0], 300, atol=1e-3)


def test_defects_are_seen_against_their_metal() -> None:
    """Same seed with and without: the defect changes the picture, and only where it lies."""
    counts = {c.name: 1 for c in NEU_CLASSES}
    spec = {"width_px": 640, "length_m": 4.0, "seed": 12}
    strip = SimulatedStrip(StripSpec(**spec, defects_per_class=counts))  # type: ignore[arg-type]
    clean = SimulatedStrip(StripSpec(**spec, defects_per_class=0))  # type: ignore[arg-type]
    seen = strip.render(0, strip.total_lines)
    change = seen.pixels.astype(int) - clean.render(0, strip.total_lines).pixels
    change_of = {d.class_name: change[seen.number == d.number] for d in strip.planted}
    for name, values in change_of.items():
        assert np.percentile(np.abs(values), 90) >= 8, name
    assert change_of["scratches"].mean() > 15
    assert change_of["patches"].mean() < -15
    far = np.ones_like(seen.mask, dtype=bool)
    for d in strip.planted:
        far[max(0, d.first_line - GAP_PX) : d.last_line + GAP_PX, :] = False
    assert not change[far].any()


def test_another_seed_is_another_strip(coil: Rendered) -> None:
    again = SimulatedStrip(SPEC).render(0, 600)
    other = SimulatedStrip(
        StripSpec(width_px=640, length_m=4.0, defects_per_class=2, seed=4)
    ).render(0, 600)
    assert again.pixels.tobytes() == coil.pixels[:600].tobytes()
    assert (other.pixels != again.pixels).mean() > 0.5


def test_a_coil_without_defects_is_clean() -> None:
    strip = SimulatedStrip(StripSpec(width_px=256, length_m=1, defects_per_class=0))
    assert strip.planted == ()
    assert not strip.render(0, strip.total_lines).mask.any()


@pytest.mark.parametrize(("first", "lines"), [(-1, 5), (0, 0), (7_999, 2), (9_000, 1)])
def test_lines_that_are_not_on_the_coil_are_refused(
    strip: SimulatedStrip, first: int, lines: int
) -> None:
    with pytest.raises(ConfigError, match="it has lines 0 to 8000"):
        strip.render(first, lines)


def test_too_many_defects_are_refused() -> None:
    with pytest.raises(ConfigError, match="no room for 300 defects on 1 m"):
        SimulatedStrip(StripSpec(width_px=512, length_m=1, defects_per_class=50))


def test_a_strip_too_narrow_for_defects_is_refused() -> None:
    spec = StripSpec(width_px=200, strip_width_px=40, wander_px=12)
    with pytest.raises(ConfigError, match="strip_width_px"):
        SimulatedStrip(spec)
