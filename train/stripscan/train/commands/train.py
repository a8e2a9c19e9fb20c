"""``stripscan train``."""

from pathlib import Path
from typing import Annotated

import typer

from stripscan.terminal.console import messages, results, say
from stripscan.terminal.extras import needs_extra
from stripscan.terminal.logs import configure_logging


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, e.g. strip-small.")],
    data_folder: Annotated[Path, typer.Option("--data", help="Folder with data sets.")],
    split_file: Annotated[Path, typer.Option("--split", help="What 'data split' wrote.")],
    out: Annotated[Path, typer.Option(help="A new folder for the run.")] = Path("runs/train"),
    epochs: Annotated[int | None, typer.Option(help="The recipe's if none.", min=1)] = None,
    encoder_weights: Annotated[
        str | None, typer.Option(help="'none' trains an smp encoder from scratch.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The recipe's if none.")] = None,
) -> None:
    """Train a recipe into a run folder."""
    with needs_extra("train", "stripscan train"):
        from stripscan.train.recipes import adjusted  # noqa: PLC0415 - torch
        from stripscan.train.recipes import recipe as named  # noqa: PLC0415
        from stripscan.train.trainer import CHECKPOINT  # noqa: PLC0415
        from stripscan.train.trainer import train as run  # noqa: PLC0415
    from stripscan.dataset.split import read_split  # noqa: PLC0415

    configure_logging()
    config = adjusted(named(recipe), epochs=epochs, seed=seed, encoder_weights=encoder_weights)
    checkpoint = run(
        config,
        data=data_folder,
        out=out,
        split=read_split(split_file),
        progress=messages.is_terminal,
    )
    facts = checkpoint.facts
    say(f"best epoch {facts['epoch']}: Dice {facts['val_dice']:.3f} on validation")
    results.print(str(out / CHECKPOINT), soft_wrap=True)
