"""``stripscan data split``."""

from pathlib import Path
from typing import Annotated

import typer

from stripscan.terminal.console import results, say
from stripscan.terminal.logs import configure_logging


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
