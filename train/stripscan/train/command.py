"""``stripscan train`` and ``stripscan data``."""

from pathlib import Path
from typing import Annotated

import typer

from stripscan.terminal.console import messages, results, say
from stripscan.terminal.extras import needs_extra
from stripscan.terminal.logs import configure_logging

data = typer.Typer(no_args_is_help=True, help="Look at data sets and divide them.")


@data.command()
def split(
    folder: Annotated[Path, typer.Argument(help="Folder with data sets.")],
    out: Annotated[Path, typer.Option(help="The split file.")] = Path("split.json"),
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 7,
    test: Annotated[float, typer.Option(help="Share of the sources for the test.")] = 0.15,
    val: Annotated[float, typer.Option(help="Share of the sources for validation.")] = 0.1,
) -> None:
    """Divide data sets by source image: the same metal never lies on two sides."""
    from stripscan.dataset.neu import find_samples  # noqa: PLC0415 - with OpenCV, on demand
    from stripscan.dataset.split import (  # noqa: PLC0415
        match_sources,
        split_by_source,
        write_split,
    )

    configure_logging()
    samples = find_samples(folder)
    say(f"comparing {len(samples)} images with each other, turned and flipped")
    match = match_sources(samples)
    drawn = split_by_source(samples, match.group, seed=seed, test=test, val=val)
    write_split(out, drawn)
    sources = len(set(match.group.tolist()))
    say(
        f"{sources} sources: {len(drawn.train)} images to train on, {len(drawn.val)} to choose "
        f"by, {len(drawn.test)} to test on"
    )
    results.print(f"{out}: {drawn.digest}", soft_wrap=True)


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
