"""``stripscan data prepare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from stripscan.terminal.console import messages, results, warn
from stripscan.terminal.logs import configure_logging

if TYPE_CHECKING:
    from stripscan.dataset.prepare import Prepared
    from stripscan.dataset.record import DatasetRecord


def prepare(
    source: Annotated[Path, typer.Argument(help="The data set: a folder, or a COCO file.")],
    out: Annotated[Path, typer.Option(help="A new folder for the prepared data.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            help="neu-det, neu-seg, sd-saliency, severstal, coco, yolo, masks or voc.",
        ),
    ] = "auto",
    class_map: Annotated[
        list[str] | None,
        typer.Option("--map", help="theirs=ours; ours may be background or unlabelled. Repeat it."),
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(help="A class that the labels speak of; all if none. Repeat it."),
    ] = None,
    mm_per_px: Annotated[float | None, typer.Option(help="Size of a pixel in mm.")] = None,
) -> None:
    """Check a foreign data set and bring it into the layout that stripscan trains on."""
    from stripscan.dataset.formats.classmap import parse_map  # noqa: PLC0415 - with OpenCV
    from stripscan.dataset.prepare import prepare as write  # noqa: PLC0415

    configure_logging()
    with Progress(console=messages, transient=True) as progress:
        task = progress.add_task("reading labels", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, description="preparing", completed=done, total=total)

        prepared = write(
            source,
            out,
            format_name=format_name,
            class_map=parse_map(class_map or ()),
            known=known or (),
            mm_per_px=mm_per_px,
            on_image=show,
        )
    _warn_of_left_out(prepared)
    results.print(_table(prepared.record))
    results.print(f"{out}: {prepared.record.digest}", soft_wrap=True)


def _warn_of_left_out(prepared: "Prepared") -> None:
    if not prepared.left_out:
        return
    names = ", ".join(prepared.left_out)
    note = f". {prepared.note}" if prepared.note else ""
    warn(
        f"not mapped, so their pixels are unlabelled: {names}; "
        f"--map '{prepared.left_out[0]}=scratches' would make one a class{note}"
    )


def _table(record: "DatasetRecord") -> Table:
    counts = record.counts
    table = Table(title=f"{counts.images} images, {record.source_format}", title_justify="left")
    table.add_column("")
    for name in ("images", "pixels", "boxes"):
        table.add_column(name, justify="right")
    for name, count in counts.classes.items():
        table.add_row(name, *map(str, (count.images, count.pixels, count.boxes)))
    table.add_section()
    table.add_row("clean", str(counts.clean), "", "")
    table.add_row("with unlabelled parts", str(counts.unlabelled), "", "")
    table.add_row("with a mask", str(counts.masks), "", "")
    table.add_row("with boxes", str(counts.boxes), "", "")
    return table
