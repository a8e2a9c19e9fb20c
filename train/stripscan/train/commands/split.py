"""``stripscan data split``."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import ConfigError
from stripscan.dataset.neu import find_samples
from stripscan.dataset.public import PublicOverlap, public_overlaps
from stripscan.dataset.samples import Sample, classes_of
from stripscan.dataset.sources import SourceMatch, match_sources
from stripscan.dataset.split import (
    PARTS,
    Split,
    SplitProtocol,
    split_as_original,
    split_by_source,
    write_split,
)
from stripscan.terminal.console import results, say, warn
from stripscan.terminal.logs import configure_logging

TEST_SHARE = 0.15
VAL_SHARE = 0.1


def split(
    folder: Annotated[Path, typer.Argument(help="Folder with data sets.")],
    out: Annotated[Path, typer.Option(help="The split file.")] = Path("split.json"),
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 7,
    test: Annotated[
        float | None, typer.Option(help=f"Share of the sources for the test; {TEST_SHARE} if none.")
    ] = None,
    val: Annotated[
        float | None,
        typer.Option(help=f"Share of the sources for validation; {VAL_SHARE} if none."),
    ] = None,
    protocol: Annotated[
        SplitProtocol, typer.Option(help="neu-original divides NEU-DET by image, as published.")
    ] = SplitProtocol.SOURCE,
    public: Annotated[
        bool, typer.Option("--public", help="Tell how much the data sets' own splits leak.")
    ] = False,
) -> None:
    """Divide data sets by source image: the same metal never lies on two sides."""
    if protocol is SplitProtocol.NEU_ORIGINAL and not (test is None and val is None):
        raise ConfigError(
            f"--protocol {protocol} fixes the shares; leave out --test and --val, or the protocol"
        )
    configure_logging()
    samples = find_samples(folder)
    say(f"comparing {len(samples)} images with each other, turned and flipped")
    match = match_sources(samples)
    if protocol is SplitProtocol.SOURCE:
        drawn = split_by_source(
            samples,
            match.group,
            seed=seed,
            test=TEST_SHARE if test is None else test,
            val=VAL_SHARE if val is None else val,
        )
    else:
        drawn = split_as_original(samples, seed=seed)
    write_split(out, drawn)
    _tell(drawn, samples, match)
    results.print(_classes(drawn, samples))
    if public:
        results.print(_overlaps(public_overlaps(samples, match)))
    results.print(f"{out}: {drawn.digest}", soft_wrap=True)


def _tell(drawn: Split, samples: Sequence[Sample], match: SourceMatch) -> None:
    sizes = (
        f"{len(drawn.train)} images to train on, {len(drawn.val)} to choose by, "
        f"{len(drawn.test)} to test on"
    )
    if drawn.protocol is SplitProtocol.SOURCE:
        say(f"{len(np.unique(match.group))} sources: {sizes}")
        return
    say(sizes)
    picture = dict(zip((s.name for s in samples), match.picture.tolist(), strict=True))
    seen = {picture[name] for name in drawn.train}
    twins = sum(picture[name] in seen for name in (*drawn.val, *drawn.test))
    warn(
        f"drawn by image, not by source, for comparison with published figures only: {twins} "
        f"images of validation and test show the picture of a training image"
    )


def _classes(drawn: Split, samples: Sequence[Sample]) -> Table:
    """Return how many images of each side show each class."""
    side = {name: part for part in PARTS for name in getattr(drawn, part)}
    shown = Counter(
        (name, side[sample.name])
        for sample in samples
        if sample.name in side
        for name in classes_of(sample)
    )
    table = Table("images that show")
    for part in PARTS:
        table.add_column(part, justify="right")
    for defect in NEU_CLASSES:
        table.add_row(defect.name, *(str(shown[defect.name, part]) for part in PARTS))
    table.add_section()
    table.add_row("all images", *(str(len(getattr(drawn, part))) for part in PARTS))
    return table


def _overlaps(overlaps: Sequence[PublicOverlap]) -> Table:
    """Return how much public splits leak."""
    table = Table("public split")
    for name in ("training", "test", "test with a twin", "test that shares metal"):
        table.add_column(name, justify="right")
    for o in overlaps:
        shares = (f"{n} ({100 * n / o.n_test:.1f} %)" for n in (o.n_twins, o.n_shared))
        table.add_row(o.dataset, str(o.n_train), str(o.n_test), *shares)
    if not overlaps:
        table.add_row("none brings one", *[""] * 4)
    return table
