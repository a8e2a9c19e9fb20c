"""A simulated strip under uneven light: learned, evened out, and inspected."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner

from stripscan.cli.main import app
from stripscan.contract.block import Block
from stripscan.contract.bundle import open_bundle
from stripscan.contract.defect import Defect
from stripscan.contract.errors import DataError
from stripscan.runtime.conditioning.flat_field import FlatField, Flattener
from stripscan.runtime.conditioning.flat_field_file import load_flat_field
from stripscan.runtime.conditioning.transfer import Bits
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.choice import EngineChoice, open_engine
from stripscan.runtime.inspector import CoilInspector
from stripscan.runtime.sources.folder import FolderFrames
from stripscan.runtime.station import CameraSection, Station
from stripscan.runtime.station_sources import FolderSource
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import SimulatedStrip
from unit.runtime.conditioning_samples import flat_field, light, seen, strip, taught
from unit.runtime.inspection_samples import BoxEngine, Found, blocks_of, manifest

Pixels = NDArray[np.uint8]

WIDTH, DEAD = 512, (200, 201, 330)


def chain(
    blocks: list[Block], engine: Engine, field: FlatField | None, **camera: object
) -> tuple[Found, CoilInspector]:
    station = Station.model_validate(
        {
            "name": "line 1",
            "camera": {"name": "top-1", "mm_per_px": 0.5, "mm_per_line": 0.5, **camera},
            "source": {"kind": "folder", "path": Path("unused")},
        }
    )
    default = not isinstance(engine, BoxEngine)
    inspector = CoilInspector(
        coil="a",
        station=station,
        manifest=open_bundle(default_bundle_path()).manifest if default else manifest(),
        engine=engine,
        width_px=blocks[0].pixels.shape[1],
        flat_field=field,
    )
    found = Found()
    for block in blocks:
        for outcome in inspector.push(block):
            found.keep(outcome)
    for outcome in inspector.finish():
        found.keep(outcome)
    return found, inspector


def test_a_field_learned_on_the_strip_removes_the_shading_and_finds_no_less() -> None:
    spec = StripSpec(
        width_px=WIDTH, length_m=3.0, shading=0.6, defects_per_class=1, wander_px=2, seed=5
    )
    simulated = SimulatedStrip(spec)
    rendered = simulated.render(0, simulated.total_lines)
    pixels = rendered.pixels.copy()
    pixels[:, DEAD] = 0
    field = taught(pixels, detect=True)
    assert np.flatnonzero(field.dead).tolist() == list(DEAD)
    even = Flattener(field).apply(pixels).astype(np.float64)
    # The strip is brighter and darker along: a column must not gain from where its defects lie.
    even *= 100 / np.median(even[:, 40:-40], axis=1, keepdims=True)
    means = np.nanmean(np.where(rendered.mask == 0, even, np.nan)[:, 40:-40], axis=0)
    smooth = np.convolve(means, np.ones(16) / 16, "valid")
    assert np.ptp(smooth) < 2
    assert np.abs(means - np.median(means)).max() < 2.5

    def truths(field: FlatField | None) -> set[int]:
        with_engine = open_engine(open_bundle(default_bundle_path()), EngineChoice(threads=1))
        found, _ = chain(list(blocks_of(pixels, range(0, 9999, 256))), with_engine, field)
        with_engine.close()
        touched: set[int] = set()
        for number in found.defects:
            for line, start, stop in found.runs(number):
                touched |= set(rendered.number[line, start:stop].tolist())
        return touched - {0}

    assert truths(field) >= truths(None) != set()


def test_a_dark_or_stuck_camera_is_not_mended() -> None:
    field = flat_field(np.full(96, 4.0, np.float32))
    blocks = list(blocks_of(np.full((200, 96), 20, np.uint8), [100]))
    found, _ = chain(blocks, BoxEngine(), field, strip_edges="full")
    assert {reason for _, reason in found.states()} == {"dark image"}
    assert found.defects == {}


def records(found: Found) -> list[Defect]:
    return [found.defects[number] for number in sorted(found.defects)]


@settings(max_examples=8)
@given(st.lists(st.integers(1, 799), max_size=12))
def test_what_is_found_does_not_depend_on_the_blocks(cuts: list[int]) -> None:
    pixels = seen(strip(800, 160, 20, 140), light(160, 0.4))
    pixels[300:330, 30:40] = 20
    pixels[500:700, 136:139] = 250
    field = flat_field(1 / light(160, 0.4))
    keys = {"edge_margin_mm": 4.0}
    whole, inspector = chain(list(blocks_of(pixels)), BoxEngine(), field, **keys)
    cut, other = chain(list(blocks_of(pixels, cuts)), BoxEngine(), field, **keys)
    assert records(cut) == records(whole)
    assert other.stats() == inspector.stats()


def columns_of(found: Found, first_line: int, stop_line: int) -> set[int]:
    """Return the columns that any defect marks on these lines."""
    runs = np.concatenate([found.runs(number) for number in found.parts])
    on = runs[(runs[:, 0] >= first_line) & (runs[:, 0] < stop_line)]
    return {px for _, start, stop in on.tolist() for px in range(start, stop)}


def test_a_margin_hides_the_edge_alone_and_says_so() -> None:
    pixels = strip(2400, 160, 20, 140)
    pixels[1500:1600, 22:26] = 250  # 1 to 3 mm from the edge
    pixels[1500:1516, 2:9] = 250  # beside the strip
    noise = np.random.default_rng(1).integers(0, 8, (600, 44), np.uint8)  # of a camera that lives
    pixels[1700:2300, 16:60] = noise  # a dark defect from the edge inwards
    pixels[1900:1930, 60:70] = 250  # on what looks like the edge
    blocks = list(blocks_of(pixels, [1000]))
    plain, _ = chain(blocks, BoxEngine(), None)
    found, inspector = chain(blocks, BoxEngine(), None, edge_margin_mm=5.0)
    assert columns_of(plain, 1500, 1600) >= {*range(3, 8), *range(23, 25)}
    assert columns_of(found, 1500, 1600) == set()
    assert columns_of(found, 1900, 1930) >= {
        px for px in columns_of(plain, 1900, 1930) if 30 <= px < 130
    }
    assert columns_of(found, 1900, 1930) >= set(range(61, 69))
    stats = inspector.stats()
    assert stats["edge_margin_mm"] == 5.0
    assert isinstance(stats["masked_at_edges_mm2"], float)
    assert stats["masked_at_edges_mm2"] > 100
    assert stats["strip_width_max_mm"] == pytest.approx(60, abs=3)
    assert {i.reason for i in found.coverage} == {"without 5 mm at each edge"}
    assert {i.reason for i in plain.coverage} == {""}


STATION = """
name = "line 1"
[camera]
name = "top-1"
mm_per_px = 0.5
mm_per_line = 0.5
bits = 12
transfer = "sqrt"
[source]
kind = "folder"
path = "frames"
"""


def test_the_command_learns_from_a_camera_of_12_bits(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    share = light(160, 0.4)
    for number in range(4):
        grey = strip(400, 160, 20, 140, seed=number).astype(np.float32) * share * 16
        picture = np.rint(grey).astype(np.uint16)
        assert cv2.imwrite(str(tmp_path / f"frames/{number}.png"), picture)
    file, out = tmp_path / "a.toml", tmp_path / "a.npz"
    file.write_text(STATION, encoding="utf-8")
    done = CliRunner().invoke(
        app, ["flat-field", "learn", str(file), "--out", str(out), "--lamp-hours", "1200"]
    )
    assert done.exit_code == 0, done.output
    field = load_flat_field(out)
    assert (field.width_px, field.origin.lines, field.origin.lamp_hours) == (160, 200, 1200.0)
    good = field.learned
    # The light enters under the root: the gain is the root of what is missing.
    expected = np.sqrt(np.median(share[good]) / share[good])
    assert np.abs(field.gain[good] / expected - 1).max() < 0.03
    shown = CliRunner().invoke(app, ["flat-field", "show", str(out)])
    assert "12 bits sqrt" in shown.output
    assert "1200 hours" in shown.output
    assert field.digest[:12] in shown.output


@pytest.mark.parametrize(
    ("bits", "grey"), [(12, np.uint8(9)), (8, np.uint16(9)), (10, np.uint16(1024))]
)
def test_images_of_other_bits_end_the_run(tmp_path: Path, bits: Bits, grey: np.generic) -> None:
    assert cv2.imwrite(str(tmp_path / "1.png"), np.full((8, 8), grey))
    camera = CameraSection(mm_per_px=1.0, mm_per_line=1.0, bits=bits)
    source = FolderSource(kind="folder", path=tmp_path)
    with pytest.raises(DataError, match=r"1\.png.*bits"), FolderFrames(source, camera):
        pass
