"""``stripscan data inspect``."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from stripscan.contract.errors import GateError
from stripscan.contract.files import write_file
from stripscan.terminal.console import messages, results, say
from stripscan.terminal.logs import configure_logging


def inspect(
    folder: Annotated[Path, typer.Argument(help="Folder with data sets.")],
    out: Annotated[Path, typer.Option(help="The page, one HTML file.")] = Path("inspection.html"),
    json_out: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    split: Annotated[
        Path | None, typer.Option(help="Split file: look at its sides as well.")
    ] = None,
    mm_per_px: Annotated[float, typer.Option(help="Size of a pixel in mm.")] = 0.3,
) -> None:
    """Look at a data set before training on it: balance, sizes, copies, labels that disagree.

    A split with the same metal on two sides ends with code 1, once the page is written.
    """
    from stripscan.dataset.inspection.findings import findings  # noqa: PLC0415 - with OpenCV
    from stripscan.dataset.inspection.page import render_page  # noqa: PLC0415
    from stripscan.dataset.inspection.survey import survey  # noqa: PLC0415
    from stripscan.dataset.neu import find_samples  # noqa: PLC0415
    from stripscan.dataset.split import read_split  # noqa: PLC0415

    configure_logging()
    drawn = None if split is None else read_split(split)
    samples = find_samples(folder)
    say(f"comparing {len(samples)} images with each other, turned and flipped")
    with Progress(console=messages, transient=True) as progress:
        task = progress.add_task("looking", total=len(samples))
        seen = survey(
            samples, mm_per_px=mm_per_px, split=drawn, on_image=lambda: progress.advance(task)
        )
    page = render_page(seen, samples, title=str(folder))
    write_file(out, page.encode("utf-8", "replace"))
    if json_out is not None:
        text = json.dumps(seen.to_json(), indent=1, allow_nan=False)
        write_file(json_out, text.encode() + b"\n")
    for finding in findings(seen):
        say(f"{'!' if finding.urgent else '-'} {finding.title}")
    results.print(str(out), soft_wrap=True, markup=False)
    if seen.split is not None and seen.split.leaks:
        raise GateError(
            f"{split}: groups of images that show the same metal and lie on two sides: "
            f"{seen.split.leaks}; draw the split again with stripscan data split"
        )
