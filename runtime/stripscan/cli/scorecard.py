"""An evaluation as tables for the terminal, and the gate that a script asks for."""

from collections.abc import Mapping

from rich.table import Table

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import GateError
from stripscan.dataset.scoring.defects import ROWS
from stripscan.dataset.scoring.evaluation import UNLABELLED_METAL, Evaluation
from stripscan.dataset.scoring.figures import CLASS_FIGURES, HEADLINES, rate_names
from stripscan.dataset.scoring.page.render import figure, interval


def tables(evaluation: Evaluation, baseline: Evaluation | None) -> list[Table]:
    """Return an evaluation as tables, with the copied masks beside it where they were scored.

    They fit a terminal of 80 columns; JSON and page have more.
    """
    return [
        _figures(evaluation, baseline),
        _false_alarms(evaluation),
        _classes(evaluation),
        _defects(evaluation),
    ]


def _figures(evaluation: Evaluation, baseline: Evaluation | None) -> Table:
    table = Table(title=f"{evaluation.n_images} images", title_justify="left")
    table.add_column("figure")
    for column in ("value", "95 % interval", *(["nearest mask"] if baseline else [])):
        table.add_column(column, justify="right")
    rows = {name: name for name in HEADLINES}
    rows |= {f"iou of {c.name}": f"per_class.{c.name}.iou" for c in NEU_CLASSES}
    for title, name in rows.items():
        row = [figure(evaluation.figures[name]), interval(evaluation.intervals.get(name))]
        if baseline:  # the confidence of a copy means nothing
            row.append(figure(None if name == "ece" else baseline.figures[name]))
        table.add_row(title, *row)
    facts = {
        "images with boxes": int(evaluation.counts["images_with_boxes"]),
        "images with pixel masks": int(evaluation.counts["images_with_masks"]),
        "sources": evaluation.n_sources,
    }
    for title, value in facts.items():
        table.add_row(title, str(value))
    return table


def _false_alarms(evaluation: Evaluation) -> Table:
    table = Table("false alarms on")
    for column in ("number", "m²", "per m²", "95 % interval"):
        table.add_column(column, justify="right")
    for name, rate in evaluation.false_alarms.items():
        table.add_row(
            name.replace("_", " "),
            str(rate.count),
            figure(rate.area_m2, 2),
            figure(rate.per_m2, 2),
            interval((rate.low, rate.high), 2),
        )
    return table


def _classes(evaluation: Evaluation) -> Table:
    table = Table("class", "label")
    for column in (*CLASS_FIGURES, "images"):
        table.add_column(column, justify="right")
    for kind in NEU_CLASSES:
        row = evaluation.class_row(kind.name)
        values = [evaluation.figures[f"per_class.{kind.name}.{name}"] for name in CLASS_FIGURES]
        table.add_row(kind.name, str(row["label"]), *map(figure, values), str(row["n_images"]))
    return table


def _defects(evaluation: Evaluation) -> Table:
    table = Table("defects")
    for column in ("number", "detected", "classified", "precision"):
        table.add_column(column, justify="right")
    classes = {c.name for c in NEU_CLASSES}
    for row in ROWS:
        rates = []
        for name in rate_names(row):
            bounds = evaluation.intervals.get(name)
            spread = f" {bounds[0]:.2f}–{bounds[1]:.2f}" if bounds else ""
            rates.append(figure(evaluation.figures[name], 2) + spread)
        number = str(evaluation.defect_row(row)["labelled"])
        table.add_row(row if row in classes else f"{row} mm²", number, *rates)
    return table


def check_gate(
    evaluation: Evaluation, least: Mapping[str, float | None], most_alarms: float | None
) -> None:
    """Check what the user asked for.

    Args:
        evaluation: The figures.
        least: Least value by the figure's name; None where nothing was asked.
        most_alarms: Most alarms per m² of clean metal; None where nothing was asked.

    Raises:
        GateError: A figure is worse, or does not exist; all of them are named.
    """
    failed = []
    for name, bound in least.items():
        value = evaluation.figures[name]
        if bound is not None and (value is None or value < bound):
            failed.append(f"{name} is {figure(value)}, at least {bound:g} was asked for")
    if most_alarms is not None:
        clean = {n: r for n, r in evaluation.false_alarms.items() if n != UNLABELLED_METAL}
        failed += [
            f"false alarms on {name.replace('_', ' ')} are {rate.per_m2:.2f} per m², at most "
            f"{most_alarms:g} was asked for"
            for name, rate in clean.items()
            if rate.per_m2 > most_alarms
        ]
        if not clean:
            failed.append("no clean metal was looked at: give --clean-m2 or --clean")
    if failed:
        raise GateError("the evaluation gate did not pass: " + "; ".join(failed))
