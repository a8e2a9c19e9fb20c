"""``stripscan eval``: a bundle or a checkpoint against labelled images."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import Progress

from stripscan.cli.scorecard import check_gate, tables
from stripscan.cli.scored import (
    ScoredModel,
    bundle_to_score,
    checkpoint_to_score,
    samples_to_score,
    unchanged,
)
from stripscan.contract.errors import ConfigError, DataError
from stripscan.contract.files import write_file
from stripscan.dataset.images import IMAGE_SUFFIXES, read_mono
from stripscan.dataset.nearest import nearest_masks
from stripscan.dataset.neu import find_samples
from stripscan.dataset.samples import Sample, load
from stripscan.dataset.scoring.alarms import AlarmRate, alarms_on_clean
from stripscan.dataset.scoring.cases import CaseBook
from stripscan.dataset.scoring.defects import DefectRules
from stripscan.dataset.scoring.evaluation import Evaluation, Evaluator, Scored, evaluate, unseen
from stripscan.dataset.scoring.page.render import Compared, render_page
from stripscan.dataset.scoring.segmented import Segmented
from stripscan.runtime.commands.predict import DEFAULT, EngineOption, PrecisionOption
from stripscan.runtime.engines.choice import engine_choice
from stripscan.simulation.clean import clean_tile_count, clean_tiles
from stripscan.terminal.console import messages, results, say

Least = Annotated[float | None, typer.Option(min=0, max=1, help="Fail, with code 1, below this.")]


def evaluate_command(
    data: Annotated[Path, typer.Option(help="Folder with data sets.")],
    bundle: Annotated[
        str | None, typer.Option(help="A bundle, or 'default', which is scored if none is named.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="What 'stripscan train' wrote, instead of a bundle.")
    ] = None,
    engine: EngineOption = None,
    precision: PrecisionOption = None,
    split: Annotated[
        Path | None,
        typer.Option(help="Split file: score its test part only. A checkpoint's lies beside it."),
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Score images of the training as well.")
    ] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write a page with pictures here.")] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Score copies of the nearest training mask as well.")
    ] = False,
    clean_m2: Annotated[
        float, typer.Option(min=0, help="Simulated clean metal to look for false alarms on, in m².")
    ] = 5.0,
    clean: Annotated[
        Path | None, typer.Option(help="Folder of images without a defect, for false alarms.")
    ] = None,
    overlap: Annotated[
        float, typer.Option(help="Share of a defect that counts as found, up to 1.")
    ] = 0.25,
    min_dice: Least = None,
    min_dice_pixel: Least = None,
    min_miou_pixel: Least = None,
    min_detection: Least = None,
    min_classification: Least = None,
    min_precision: Least = None,
    max_false_alarms: Annotated[
        float | None, typer.Option(min=0, help="Fail above so many per m² of clean metal.")
    ] = None,
) -> None:
    """Score masks on labelled images that the model has not seen."""
    if bundle is not None and checkpoint is not None:
        raise ConfigError("--bundle and --checkpoint: give one of them")
    if checkpoint is not None and (engine or precision):
        raise ConfigError("--engine and --precision are of a bundle: a checkpoint has no files")
    if baseline and include_seen:
        raise ConfigError("--baseline needs images that were not seen: leave out --include-seen")
    if not 0 < overlap <= 1:
        raise ConfigError(f"--overlap is {overlap}: it must be above 0 and up to 1")
    if checkpoint is not None:
        model = checkpoint_to_score(checkpoint, split, include_seen=include_seen)
    else:
        model = bundle_to_score(bundle or DEFAULT, split, engine_choice(engine, precision))
    rules = DefectRules(overlap=overlap, mm_per_px=model.mm_per_px)
    book = CaseBook()
    with Progress(console=messages, transient=True) as progress:
        run = _Run(model, rules, progress)
        evaluation = run.score(find_samples(data), book, include_seen=include_seen)
        evaluation = run.with_clean_metal(evaluation, clean_m2, clean)
        copied = run.score_copies(evaluation) if baseline else None
    if json_out is not None:
        write_file(json_out, _json(model, evaluation, copied))
    if page is not None:
        compared = Compared(
            model=model.title,
            evaluation=evaluation,
            baseline=copied,
            cases=book.chosen(evaluation.sources),
        )
        write_file(page, render_page(compared).encode())
    for table in tables(evaluation, copied):
        results.print(table)
    least = {
        "dice": min_dice,
        "dice_pixel": min_dice_pixel,
        "miou_pixel": min_miou_pixel,
        "detection_rate": min_detection,
        "classification_rate": min_classification,
        "defect_precision": min_precision,
    }
    check_gate(evaluation, least, max_false_alarms)


class _Run:
    """One evaluation, step by step under one progress display."""

    def __init__(self, model: ScoredModel, rules: DefectRules, progress: Progress) -> None:
        self._model = model
        self._rules = rules
        self._progress = progress
        self._learned: list[Sample] = []
        self._scored: list[Sample] = []

    def score(self, samples: list[Sample], book: CaseBook, *, include_seen: bool) -> Evaluation:
        """Score the images of the split's test part, or all, that the model has not seen."""
        split = self._model.split
        if split is not None:
            learned = {*split.train, *split.val}
            self._learned = [sample for sample in samples if sample.name in learned]
        samples = samples_to_score(self._model, samples)
        task = self._progress.add_task("scoring", total=len(samples))
        seen: list[Sample] = []

        def pass_over(sample: Sample) -> None:
            seen.append(sample)
            self._progress.advance(task)

        def scored(image: Scored) -> None:
            book.add(image)
            self._scored.append(image.sample)
            self._progress.advance(task)

        pictures = unseen(
            samples, frozenset() if include_seen else self._model.seen, on_seen=pass_over
        )
        evaluation = evaluate(
            self._model.segment, unchanged(pictures, split), rules=self._rules, on_image=scored
        )
        if seen:
            self._learned += seen
            say(
                f"{len(seen)} of {len(samples)} images were seen in training and are left out; "
                "--include-seen scores them"
            )
        return evaluation

    def with_clean_metal(
        self, evaluation: Evaluation, simulated_m2: float, folder: Path | None
    ) -> Evaluation:
        """Return the evaluation with false alarms on simulated metal and on a folder."""
        rates = dict(evaluation.false_alarms)
        if simulated_m2 > 0:
            count = clean_tile_count(simulated_m2, mm_per_px=self._rules.mm_per_px)
            rates["simulated_metal"] = self._alarms("clean metal", clean_tiles(count), count)
        if folder is not None:
            files = _images_in(folder)
            images = (read_mono(file) for file in files)
            rates["clean_folder"] = self._alarms("clean images", images, len(files))
        return replace(evaluation, false_alarms=rates)

    def _alarms(self, what: str, images: Iterator[NDArray[np.uint8]], total: int) -> AlarmRate:
        task = self._progress.add_task(what, total=total)
        return alarms_on_clean(
            self._model.segment,
            images,
            self._rules,
            on_image=lambda: self._progress.advance(task),
        )

    def score_copies(self, evaluation: Evaluation) -> Evaluation:
        """Score the masks of the nearest images of the training on the same images."""
        if not self._learned:
            raise ConfigError(
                "--baseline copies masks of the training, whose images are not in the data "
                "folder; give --split"
            )
        task = self._progress.add_task("nearest mask", total=len(self._scored))
        evaluator = Evaluator(self._rules)
        for sample, mask in nearest_masks(self._learned, self._scored):
            copy = Segmented(mask=mask, score=np.full_like(mask, 255))
            evaluator.add(sample, load(sample), copy)
            self._progress.advance(task)
        return evaluator.result(
            lambda samples: np.array([evaluation.sources[s.name] for s in samples], np.int64)
        )


def _images_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of clean images")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DataError(f"{folder}: holds no image; PNG, JPEG, BMP and TIFF are read")
    return files


def _json(model: ScoredModel, evaluation: Evaluation, copied: Evaluation | None) -> bytes:
    content: dict[str, Any] = {
        "model": model.title,
        **evaluation.to_json(),
        "baseline": copied.to_json() if copied else None,
    }
    return json.dumps(content, indent=2).encode() + b"\n"
