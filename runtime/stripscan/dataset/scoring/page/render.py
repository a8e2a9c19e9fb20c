"""Renders the page of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from stripscan.contract.classes import NEU_CLASSES
from stripscan.dataset.scoring.cases import Case
from stripscan.dataset.scoring.defects import ROWS
from stripscan.dataset.scoring.evaluation import Evaluation
from stripscan.dataset.scoring.figures import CLASS_FIGURES, DEFECT_RATES, HEADLINES
from stripscan.dataset.scoring.tally import Interval

MEANING: Final[Mapping[str, str]] = {
    "dice": "images with boxes, boxes filled, all classes together; mean over images",
    "dice_pos": "the same, of images whose label shows a defect",
    "dice_neg": "the same, of images whose label shows none: 1 where nothing is predicted",
    "iou": "IoU instead of Dice, of images whose label shows a defect",
    "dice_boxed": "as dice, with predicted components replaced by their boxes",
    "dice_pixel": "images with pixel masks: inclusion, patches and scratches together",
    "miou_pixel": "mean IoU of these three classes, over all pixels",
    "miou_pixel_with_background": "the same with background as a fourth class",
    "detection_rate": "share of labelled defects that are predicted as some defect",
    "classification_rate": "share of labelled defects that are predicted as their class",
    "defect_precision": "share of predicted defects that lie on a labelled one",
    "ece": "distance between confidence and share right; 0 is best",
}
"""What each of the headlines is, in a line."""

_ABSENT: Final = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A model's evaluation, and what is shown beside it.

    Attributes:
        model: What was scored, for a person to read.
        evaluation: Its evaluation.
        baseline: That of copying the nearest training mask; None where it was not asked for.
        cases: Images to look at, by kind.
    """

    model: str
    evaluation: Evaluation
    baseline: Evaluation | None
    cases: Mapping[str, Sequence[Case]]


def render_page(compared: Compared) -> str:
    """Return the page as HTML; every text is escaped, and no script runs."""
    folder = files("stripscan.dataset.scoring.page")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure": figure, "interval": interval}
    evaluation = compared.evaluation
    return environment.from_string((folder / "template.html.j2").read_text("utf-8")).render(
        style=Markup((folder / "page.css").read_text("utf-8")),  # noqa: S704 - our own file
        model=compared.model,
        evaluation=evaluation,
        baseline=compared.baseline,
        cases={kind: found for kind, found in compared.cases.items() if found},
        headlines=[(name, MEANING[name]) for name in HEADLINES],
        class_figures=CLASS_FIGURES,
        classes=[(c, evaluation.class_row(c.name)) for c in NEU_CLASSES],
        rates=DEFECT_RATES,
        defects=[(_row_title(row), row, evaluation.defect_row(row)) for row in ROWS],
        bins=_bars(evaluation),
    )


def figure(value: float | None, decimals: int = 3) -> str:
    """Return a figure for a person, a dash where there is none."""
    return _ABSENT if value is None else f"{value:,.{decimals}f}"


def interval(bounds: Interval | None, decimals: int = 3) -> str:
    """Return an interval for a person, a dash where there is none."""
    if bounds is None:
        return _ABSENT
    return f"{bounds[0]:,.{decimals}f} – {bounds[1]:,.{decimals}f}"


def _row_title(row: str) -> str:
    titles = {c.name: c.title for c in NEU_CLASSES}
    return titles.get(row, f"{row} mm²")


def _bars(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the bins that hold pixels, with their share of all pixels."""
    bins = evaluation.reliability()
    most = max((int(entry["pixels"] or 0) for entry in bins), default=0)
    return [{**entry, "weight": (entry["pixels"] or 0) / most} for entry in bins if entry["pixels"]]
