from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.contract.bundle import Bundle, write_bundle
from stripscan.contract.errors import BundleError, EngineError
from stripscan.contract.manifest import Golden
from stripscan.runtime.golden import require_golden
from unit.contract.bundle_samples import draft

Pixels = NDArray[np.uint8]


class DarkIsClass2:
    """An engine that gives pixels below a limit class 2."""

    description = "an engine of this test"

    def __init__(self, limit: int = 40) -> None:
        self.limit = limit

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        return np.where(tiles < self.limit, 2, 0).astype(np.uint8), np.zeros_like(tiles)


def png(pixels: Pixels) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def frame(dark_lines: int, grey: int) -> Pixels:
    """Return a frame of 64 lines, of which some are dark and the rest has a grey value."""
    pixels = np.full((64, 64), grey, np.uint8)
    pixels[:dark_lines] = 20
    return pixels


def bundle_in(folder: Path, frames: list[Pixels]) -> Bundle:
    """Return a bundle whose masks are those of a limit of 40."""
    files = {"model.onnx": b"not used"}
    golden = []
    for number, pixels in enumerate(frames):
        names = f"golden/{number}.png", f"golden/{number}.mask.png"
        files[names[0]] = png(pixels)
        files[names[1]] = png(np.where(pixels < 40, 2, 0).astype(np.uint8))
        golden.append(Golden(image=names[0], mask=names[1], min_agreement=0.99))
    return write_bundle(folder / "bundle", draft(golden=tuple(golden)), files)


def test_the_same_masks_pass(tmp_path: Path) -> None:
    require_golden(DarkIsClass2(), bundle_in(tmp_path, [frame(8, 100), frame(0, 200)]))


def test_a_share_of_pixels_may_fall_otherwise_where_the_bundle_allows_it(tmp_path: Path) -> None:
    pixels = frame(8, 100)
    pixels[20, :40] = 45  # 40 of 4096 pixels, 0.98 %
    require_golden(DarkIsClass2(limit=50), bundle_in(tmp_path, [pixels]))
    pixels[20, 40] = 45  # 41 of them, 1.001 %
    with pytest.raises(EngineError, match="1 of 1 golden frames"):
        require_golden(DarkIsClass2(limit=50), bundle_in(tmp_path, [pixels]))


def test_other_masks_are_refused_with_the_worst_frame_and_what_to_do(tmp_path: Path) -> None:
    frames = [frame(8, 100), frame(16, 45), frame(48, 45)]
    bundle = bundle_in(tmp_path, frames)
    with pytest.raises(EngineError) as caught:
        require_golden(DarkIsClass2(limit=50), bundle)
    told = str(caught.value)
    assert "an engine of this test gives other masks" in told
    assert str(bundle.path) in told
    assert "2 of 3 golden frames differ" in told
    assert "golden/1.png, agrees on 25.00% of its pixels, 99.00% must" in told  # 16 of 64 lines
    assert "stripscan doctor" in told


def test_a_mask_of_another_size_is_the_bundles_fault(tmp_path: Path) -> None:
    files = {"model.onnx": b"", "a.png": png(frame(8, 100)), "b.png": png(frame(8, 100)[:32])}
    golden = Golden(image="a.png", mask="b.png", min_agreement=0.99)
    bundle = write_bundle(tmp_path / "bundle", draft(golden=(golden,)), files)
    with pytest.raises(BundleError, match=r"a\.png and b\.png differ in size"):
        require_golden(DarkIsClass2(), bundle)


def test_a_bundle_without_frames_passes(tmp_path: Path) -> None:
    require_golden(DarkIsClass2(), bundle_in(tmp_path, []))
