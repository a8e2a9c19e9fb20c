from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.bundle import Bundle, open_bundle, write_bundle
from stripscan.contract.errors import BundleError, EngineError
from stripscan.contract.manifest import Golden, InputSpec
from stripscan.contract.manifest_gate import GateDraft, GateOrigin
from stripscan.contract.tiling import TileGrid
from stripscan.runtime.gate import OnnxGate, passed_tiles
from stripscan.runtime.inspector import tile_grid
from stripscan.runtime.station import Station
from stripscan.runtime.station_model import load_model, station_gate
from unit.contract.bundle_samples import draft

pytest.importorskip("onnx", reason="needs the export extra, to make a model")
pytestmark = pytest.mark.export

from unit.runtime.onnx_samples import dark_gate_model, dark_model

FRAME = np.full((64, 64), 120, np.uint8)
FRAME[16:32, 32:64] = 20
MARKS = "0000/0011/0000/0000"


def gate_draft(**changes: object) -> GateDraft:
    origin = GateOrigin(
        data_digest="d", split_digest="s", seed=0, epochs=1, versions={}, command=""
    )
    fields = {
        "file": "gate.onnx",
        "cell_px": 16,
        "reduction": 4,
        "threshold": 0.5,
        "tile_px": 96,
        "origin": origin,
    }
    return GateDraft(**{**fields, **changes})


def bundle_in(folder: Path, gate: GateDraft | None) -> Bundle:
    images = {"frame.png": FRAME, "mask.png": np.where(FRAME < 40, 2, 0).astype(np.uint8)}
    files = {name: cv2.imencode(".png", image)[1].tobytes() for name, image in images.items()}
    files |= {"gate.onnx": dark_gate_model()} if gate else {}
    spec = InputSpec(tile_px=64, halo_px=8, mm_per_px=0.5, size_multiple_px=32)
    frame = Golden(image="frame.png", mask="mask.png", min_agreement=1.0)
    made = draft(gate=gate, golden=(frame,), input=spec)
    return write_bundle(folder / "bundle.zip", made, files | {"model.onnx": dark_model()})


def a_station(bundle: Bundle, **inference: object) -> Station:
    return Station.model_validate(
        {
            "name": "line 1",
            "camera": {"mm_per_px": 0.5, "mm_per_line": 0.5},
            "source": {"kind": "simulator"},
            "bundle": {"path": str(bundle.path)},
            "inference": {"threads": 1, "gate": True} | inference,
        }
    )


def test_cells_are_counted_from_the_first_pixel_and_the_last_may_be_smaller() -> None:
    gate = OnnxGate(dark_gate_model(), gate_draft(), threads=2)
    image = np.full((70, 50), 120, np.uint8)
    image[60:, 36:] = 10  # beyond the border it is mirrored
    alone, first, second = *gate.marks([image]), *gate.marks([image, FRAME])
    gate.close()
    assert alone.shape == (5, 4)
    assert np.argwhere(alone).tolist() == [[4, 2], [4, 3]]
    assert np.array_equal(first, alone)
    assert np.argwhere(second).tolist() == [[1, 2], [1, 3]]


def test_a_tile_passes_where_a_marked_cell_shares_a_pixel_with_its_core() -> None:
    grid = TileGrid(width_px=200, tile_px=64, halo_px=8)  # cores of 48 px: 0, 48, 96, 144, 192
    marks = np.zeros((4, 13), np.bool_)
    marks[1, 6] = True  # columns 96 to 111
    assert passed_tiles(marks, grid, cell_px=16, core_lines=48).tolist() == [0, 0, 1, 0, 0]
    marks[3, 12] = True  # lines 48 to 63; the last lines of the core are 48 to 55
    assert passed_tiles(marks, grid, cell_px=16, core_lines=48).tolist() == [0, 0, 1, 0, 1]
    assert passed_tiles(marks, grid, cell_px=16, core_lines=40).tolist() == [0, 0, 1, 0, 0]


def test_a_bundle_with_a_gate_is_read_as_it_was_written(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, gate_draft(golden={"frame.png": MARKS}))
    entry = open_bundle(bundle.path).manifest.gate
    assert entry is not None
    assert entry.sha256 == bundle.manifest.files["gate.onnx"].sha256
    model = load_model(a_station(bundle), bundle)
    assert model.gate is not None
    model.close()
    without = a_station(bundle, gate=False)
    assert load_model(without, bundle).gate is None
    sides = [
        tile_grid(s, bundle.manifest, width_px=200).tile_px for s in (a_station(bundle), without)
    ]
    assert sides == [96, 64]
    assert tile_grid(a_station(bundle, tile_px=128), bundle.manifest, width_px=200).tile_px == 128


def test_a_gate_that_marks_other_cells_than_it_should_is_refused(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, gate_draft(golden={"frame.png": "0000/0110/0000/0000"}))
    with pytest.raises(EngineError, match=r"other cells of frame\.png .*: 87\.5% agree"):
        load_model(a_station(bundle), bundle)


def test_a_station_that_gates_needs_a_bundle_with_a_gate(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, None)
    with pytest.raises(BundleError, match=r"has no gate.*stripscan bundle add-gate"):
        station_gate(a_station(bundle), bundle)


def test_a_model_that_is_no_gate_is_refused() -> None:
    with pytest.raises(BundleError, match="the gate's inputs and outputs"):
        OnnxGate(dark_model(), gate_draft())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "elsewhere.onnx"}, "the gate elsewhere.onnx is not among the files"),
        ({"golden": {"other.png": MARKS}}, "marks of other.png, which is no golden frame"),
    ],
)
def test_a_gate_must_fit_its_bundle(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        bundle_in(tmp_path, gate_draft(**changes))
