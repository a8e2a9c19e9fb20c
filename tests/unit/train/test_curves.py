from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib")

from stripscan.train.curves import draw_curves

pytestmark = pytest.mark.train


def rows(epochs: int) -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch,
            "lr": 1e-3 / epoch,
            "train_loss": 1 / epoch,
            "val_dice": 0.5,
            "val_dice_patches": 0.6,
        }
        for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("epochs", [1, 30])
def test_three_charts_are_drawn(tmp_path: Path, epochs: int) -> None:
    draw_curves(rows(epochs), tmp_path / "curves.png", title="tiny")
    picture = cv2.imread(str(tmp_path / "curves.png"), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (440, 1430)
    for third in np.array_split(picture, 3, axis=1):
        assert (third < 128).mean() > 0.005


def test_the_same_run_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_curves(rows(3), tmp_path / name, title="tiny")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
