"""Pictures of how a run went."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from stripscan.contract.files import write_file

_DPI = 110


def draw_curves(rows: Sequence[Mapping[str, float]], path: Path, *, title: str) -> None:
    """Draw loss, Dice and learning rate against the epoch as a PNG.

    Args:
        rows: One per finished epoch, with ``epoch`` from 1, ``lr``, ``train_loss``, and
            ``val_dice…``, as in ``metrics.csv``.
        path: The file; it is whole or not there.
        title: What was trained.

    Raises:
        StoreError: It cannot be written.
    """
    figure = Figure(figsize=(13, 4), dpi=_DPI)
    figure.suptitle(title)
    loss, dice, rate = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.05, right=0.98, top=0.85, bottom=0.12)
    epochs = [row["epoch"] for row in rows]
    for axes, name in ((loss, "loss in training"), (dice, "Dice on validation")):
        axes.set(title=name, xlabel="epoch")
        axes.grid(alpha=0.3)
    loss.plot(epochs, [row["train_loss"] for row in rows], marker=".")
    for name in sorted(key for key in rows[-1] if key.startswith("val_dice_")):
        label = name.removeprefix("val_dice_")
        dice.plot(epochs, [row[name] for row in rows], linewidth=1, alpha=0.7, label=label)
    dice.plot(epochs, [row["val_dice"] for row in rows], "k", linewidth=2, label="mean of classes")
    dice.set_ylim(0, 1)
    dice.legend(fontsize="small")
    rate.set(title="learning rate at the end of the epoch", xlabel="epoch", yscale="log")
    rate.grid(alpha=0.3)
    # Rates that differ in the last bit alone leave the axis no height.
    rate.plot(epochs, [float(f"{row['lr']:.6g}") for row in rows], marker=".")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    write_file(path, picture.getvalue())
