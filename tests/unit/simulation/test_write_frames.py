import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stripscan.contract.errors import ConfigError
from stripscan.simulation.frames import write_frames
from stripscan.simulation.spec import StripSpec
from stripscan.simulation.strip import Rendered, SimulatedStrip

SPEC = StripSpec(width_px=256, length_m=0.5, defects_per_class={"patches": 1, "inclusion": 1})


class StripThatStops(SimulatedStrip):
    """A strip that fails after its first block, as when the user presses Ctrl-C."""

    fault: type[BaseException] = KeyboardInterrupt

    def render(self, first_line: int, lines: int) -> Rendered:
        if first_line > 0:
            raise self.fault
        return super().render(first_line, lines)


def _read(path: Path) -> Any:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_the_coil_on_disk_is_the_coil(tmp_path: Path) -> None:
    strip = SimulatedStrip(SPEC)
    folder = tmp_path / "new" / "coil"
    assert write_frames(strip, folder, 300) == 4
    names = sorted(p.name for p in folder.glob("*.png"))
    assert names == [f"block_{i:06d}.png" for i in range(4)]
    whole = strip.render(0, 1000)
    assert np.array_equal(np.concatenate([_read(folder / n) for n in names]), whole.pixels)
    truth_masks = [_read(folder / "truth" / n) for n in names]
    assert np.array_equal(np.concatenate(truth_masks), whole.mask)
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["total_lines"] == 1000
    assert truth["spec"]["mm_per_line"] == 0.5
    assert [d["area_px"] for d in truth["planted"]] == [
        int((whole.number == n).sum()) for n in (1, 2)
    ]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, fault: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StripThatStops, "fault", fault)
    with pytest.raises(fault):
        write_frames(StripThatStops(SPEC), tmp_path / "coil", 300)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not an empty folder"):
        write_frames(SimulatedStrip(SPEC), tmp_path, 300)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "coil").mkdir()
    write_frames(SimulatedStrip(SPEC), tmp_path / "coil", 65_535)
    assert (tmp_path / "coil" / "truth.json").is_file()


@pytest.mark.parametrize("block_lines", [0, 65_536])
def test_a_block_size_out_of_range_is_refused(tmp_path: Path, block_lines: int) -> None:
    with pytest.raises(ConfigError, match=f"block_lines is {block_lines}"):
        write_frames(SimulatedStrip(SPEC), tmp_path / "coil", block_lines)


def test_a_camera_that_sees_a_part_gives_that_part(tmp_path: Path) -> None:
    strip = SimulatedStrip(SPEC)
    write_frames(strip, tmp_path / "coil", 1000, columns=slice(199, 99, -1))
    seen = _read(tmp_path / "coil" / "block_000000.png")
    assert np.array_equal(seen, strip.render(0, 1000).pixels[:, 100:200][:, ::-1])
