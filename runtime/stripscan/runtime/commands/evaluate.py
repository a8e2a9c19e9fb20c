"""``stripscan eval``: a bundle against labelled images."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from stripscan.contract.bundle import open_bundle
from stripscan.contract.errors import DataError
from stripscan.contract.files import write_file
from stripscan.dataset.evaluation import Evaluation
from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import Sample
from stripscan.dataset.split import read_split
from stripscan.runtime.commands.predict import DEFAULT, bundle_path
from stripscan.runtime.engines.onnxruntime import OnnxEngine
from stripscan.runtime.evaluate import evaluate, seen_images, unseen
from stripscan.terminal.console import messages, results, say


def evaluate_command(
    data: Annotated[Path, typer.Option(help="Folder with data sets.")],
    bundle: Annotated[str, typer.Option(help="A bundle, or 'default'.")] = DEFAULT,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    split: Annotated[
        Path | None, typer.Option(help="Split file: score its test part only.")
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Score images of the training as well.")
    ] = False,
) -> None:
    """Score a bundle's masks on labelled images that it has not seen."""
    opened = open_bundle(bundle_path(bundle))
    engine = OnnxEngine.from_bundle(opened)
    samples = find_samples(data)
    if split is not None:
        samples = _test_part(samples, split)
    if not include_seen:
        fresh = unseen(samples, seen_images(opened))
        if len(fresh) < len(samples):
            say(
                f"{len(samples) - len(fresh)} of {len(samples)} images were seen in training and "
                "are left out; --include-seen scores them"
            )
        samples = fresh
    with Progress(console=messages, transient=True) as progress:
        task = progress.add_task("scoring", total=len(samples))
        evaluation = evaluate(engine, samples, on_image=lambda: progress.advance(task))
    if json_out is not None:
        write_file(json_out, json.dumps(evaluation.to_json(), indent=2).encode() + b"\n")
    for table in tables(evaluation):
        results.print(table)


def _test_part(samples: list[Sample], split: Path) -> list[Sample]:
    wanted = set(read_split(split).test)
    if not wanted:
        raise DataError(f"{split}: has no test images; draw it with a larger --test")
    chosen = [sample for sample in samples if sample.name in wanted]
    if len(chosen) < len(wanted):
        raise DataError(
            f"{split}: {len(wanted) - len(chosen)} of its {len(wanted)} test images are not in "
            "the data folder"
        )
    return chosen


def tables(evaluation: Evaluation) -> list[Table]:
    """Return an evaluation as tables for the terminal."""
    plain = evaluation.to_json()
    total = Table(title=f"{evaluation.n_images} images", title_justify="left")
    total.add_column("figure")
    total.add_column("value", justify="right")
    for name in ("dice", "dice_boxed", "dice_pixel", "miou_pixel", "miou_pixel_with_background"):
        total.add_row(name, _figure(plain[name]))
    total.add_row("images with boxes", str(evaluation.n_images_boxes))
    total.add_row("images with pixel masks", str(evaluation.n_images_pixel))
    classes = Table("class", "label")
    figures = ("dice", "iou", "precision", "recall")
    for name in (*figures, "images"):
        classes.add_column(name, justify="right")
    for name, row in plain["per_class"].items():
        values = [_figure(row[figure]) for figure in figures]
        classes.add_row(name, row["label"], *values, str(row["n_images"]))
    return [total, classes]


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
