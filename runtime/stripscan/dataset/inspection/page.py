"""The inspection for people: one HTML file that needs nothing else and asks nobody."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from stripscan.contract.classes import NEU_CLASSES, DefectClass
from stripscan.dataset.inspection import charts
from stripscan.dataset.inspection.distribution import Distribution
from stripscan.dataset.inspection.findings import findings
from stripscan.dataset.inspection.observe import CLEAN, RING_PX, SPECK_PX, UNLABELLED
from stripscan.dataset.inspection.pictures import Thumbnail, heat_map, thumbnail
from stripscan.dataset.inspection.survey import Survey
from stripscan.dataset.inspection.tally import ClassFigures
from stripscan.dataset.inspection.twins import (
    CLASSES,
    DIFFERENT_IOU,
    MAX_COMPARED,
    PIXELS,
    SWAPPED,
    Agreement,
    Pair,
)
from stripscan.dataset.samples import LabelKind, Sample

STATES: Final = (LabelKind.MASK.value, LabelKind.BOXES.value, CLEAN, UNLABELLED)

_ABSENT = "–"
_NEUTRAL = "#7f8c99"
_PROBLEM_TITLES = {
    SWAPPED: "The same pixels, another class",
    CLASSES: "A class that the other does not show",
    PIXELS: "The same classes, other pixels",
}
_KIND_TITLES = {
    "mask mask": "two masks",
    "boxes mask": "boxes and a mask",
    "boxes boxes": "boxes twice",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPage:
    """One class with everything that the page shows of it.

    Attributes:
        defect_class: The class.
        figures: By kind of label, masks first.
        charts: SVG by name.
        heat: Per kind of label: the kind, the map's ``data:`` URI, the largest share, unevenness.
        examples: Thumbnails by kind of label.
    """

    defect_class: DefectClass
    figures: tuple[ClassFigures, ...]
    charts: Mapping[str, Markup]
    heat: tuple[tuple[str, str, float, float], ...]
    examples: tuple[tuple[str, tuple[Thumbnail, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPage:
    """Two labels of the same picture, side by side in one orientation."""

    pair: Pair
    first: Thumbnail
    second: Thumbnail


def render_page(survey: Survey, samples: Sequence[Sample], *, title: str) -> str:
    """Return the page; every name is escaped, and there is no script.

    Args:
        survey: What was counted.
        samples: The samples that it was counted of.
        title: What the page is called, e.g. the folder.

    Raises:
        DataError: An image that the page shows cannot be read any more.
    """
    folder = files("stripscan.dataset.inspection")
    by_name = {sample.name: sample for sample in samples}
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": _number}
    return environment.from_string((folder / "page.html.j2").read_text("utf-8")).render(
        title=title,
        style=Markup((folder / "page.css").read_text("utf-8")),  # noqa: S704 - our own file
        survey=survey,
        findings=findings(survey),
        states=STATES,
        titles={c.name: c.title for c in NEU_CLASSES},
        colours={c.name: c.colour for c in NEU_CLASSES},
        all_classes=NEU_CLASSES,
        class_bars=_class_bars(survey),
        classes=[_class_page(c, survey, by_name) for c in NEU_CLASSES if _figures(survey, c)],
        agreements=[(a, _iou_chart(a)) for a in survey.twins.agreements],
        worst=_by_problem(survey.twins.worst, by_name),
        groups=[
            (group, [thumbnail(by_name[name]) for name in group.names])
            for group in survey.largest_groups
        ],
        odd=[
            ("Classes share pixels", survey.overlap),
            ("A defect reaches all four borders", survey.frame_filling),
            (f"Specks of fewer than {SPECK_PX} px", survey.specks),
        ],
        ring_px=RING_PX,
        different_iou=DIFFERENT_IOU,
        max_compared=MAX_COMPARED,
    )


def _figures(survey: Survey, defect_class: DefectClass) -> tuple[ClassFigures, ...]:
    found = [f for f in survey.classes if f.class_name == defect_class.name]
    return tuple(sorted(found, key=lambda f: f.kind, reverse=True))


def _class_bars(survey: Survey) -> dict[str, Markup]:
    """Return by class name a bar of its images, those with masks first."""
    counts = {(f.class_name, f.kind): f.images for f in survey.classes}
    kinds = ((LabelKind.MASK.value, "solid"), (LabelKind.BOXES.value, "pale"))
    totals = {c.name: sum(counts.get((c.name, kind), 0) for kind, _ in kinds) for c in NEU_CLASSES}
    most = max(totals.values()) or 1
    return {
        c.name: charts.stacked(
            [(counts.get((c.name, kind), 0) / most, style) for kind, style in kinds], c.colour
        )
        for c in NEU_CLASSES
    }


def _class_page(
    defect_class: DefectClass, survey: Survey, by_name: Mapping[str, Sample]
) -> ClassPage:
    figures = _figures(survey, defect_class)
    return ClassPage(
        defect_class=defect_class,
        figures=figures,
        charts={
            "per_image": _chart(figures, defect_class, "defects_per_image", _WHOLE),
            "area": _chart(
                figures, defect_class, "area_px", _area_ticks(survey), bins=_octaves(survey)
            ),
            "grey_mean": _chart(figures, defect_class, "grey_mean", _GREY),
            "grey_std": _chart(figures, defect_class, "grey_std", _DEVIATION),
            "contrast": _chart(figures, defect_class, "contrast", _CONTRAST),
            "sides": _sides_chart(figures, defect_class, survey),
        },
        heat=tuple(
            (f.kind, heat_map(f.heat), max(map(max, f.heat)), f.unevenness) for f in figures
        ),
        examples=tuple(
            (f.kind, tuple(thumbnail(by_name[name]) for name in f.examples)) for f in figures
        ),
    )


_WHOLE: Final = tuple(((n - 0.5) / 15, f"{n}+" if n == 15 else str(n)) for n in (1, 5, 10, 15))
_GREY: Final = tuple((level / 256, str(level)) for level in (0, 64, 128, 192, 256))
_DEVIATION: Final = tuple((level / 128, str(level)) for level in (0, 32, 64, 96, 128))
_CONTRAST: Final = tuple(
    ((v + 128) / 256, f"{v:+d}" if v else "0") for v in (-128, -64, 0, 64, 128)
)


def _chart(
    figures: Sequence[ClassFigures],
    defect_class: DefectClass,
    name: str,
    ticks: Sequence[charts.Tick],
    *,
    bins: int = 0,
) -> Markup:
    """Return the histogram of one figure; ``bins`` where the kinds of label may differ in it."""
    found: dict[str, Distribution] = {f.kind: getattr(f, name) for f in figures}
    counts = {kind: (*d.counts, *[0] * (bins - len(d.counts))) for kind, d in found.items()}
    return charts.histogram(
        colour=defect_class.colour,
        ticks=ticks,
        label=f"{defect_class.title}: {name.replace('_', ' ')}",
        filled=counts.get(LabelKind.MASK.value, ()),
        outlined=counts.get(LabelKind.BOXES.value, ()),
    )


def _octaves(survey: Survey) -> int:
    """Return the bins that hold the largest defect of all classes."""
    return max(len(f.area_px.counts) for f in survey.classes)


def _area_ticks(survey: Survey) -> list[charts.Tick]:
    bins = _octaves(survey)
    mm2 = survey.mm_per_px**2
    return [(k / bins, _short(2**k * mm2)) for k in range(0, bins + 1, 4)]


def _sides_chart(
    figures: Sequence[ClassFigures], defect_class: DefectClass, survey: Survey
) -> Markup:
    """Return width against height of bounding boxes, both on the same logarithmic scale."""
    octaves = max(len(d.counts) for f in survey.classes for d in (f.width_px, f.height_px))
    points = {
        f.kind: [(math.log2(w) / octaves, math.log2(h) / octaves) for w, h in set(f.points_px)]
        for f in figures
    }
    return charts.scatter(
        colour=defect_class.colour,
        ticks=[(k / octaves, _short(2**k * survey.mm_per_px)) for k in range(0, octaves + 1, 2)],
        label=f"{defect_class.title}: width and height of bounding boxes",
        filled=sorted(points.get(LabelKind.MASK.value, ())),
        outlined=sorted(points.get(LabelKind.BOXES.value, ())),
    )


def _iou_chart(agreement: Agreement) -> Markup:
    return charts.histogram(
        colour=_NEUTRAL,
        ticks=((0.0, "0"), (0.5, "0.5"), (1.0, "1")),
        label=f"IoU of {agreement.first} and {agreement.second}",
        filled=agreement.iou.counts,
    )


def _by_problem(
    pairs: Sequence[Pair], by_name: Mapping[str, Sample]
) -> list[tuple[str, list[PairPage]]]:
    pages: dict[str, list[PairPage]] = {}
    for pair in pairs:
        title = f"{_PROBLEM_TITLES[pair.problem]}: {_KIND_TITLES[pair.kinds]}"
        pages.setdefault(title, []).append(_pair_page(pair, by_name))
    return list(pages.items())


def _pair_page(pair: Pair, by_name: Mapping[str, Sample]) -> PairPage:
    return PairPage(
        pair=pair,
        first=thumbnail(by_name[pair.first]),
        second=thumbnail(by_name[pair.second], turn=pair.turn),
    )


def _number(value: float | int | None, decimals: int = 0) -> str:
    return _ABSENT if value is None else f"{value:,.{decimals}f}"


def _short(value: float) -> str:
    """Return a number of about two digits, for an axis.

    >>> [_short(v) for v in (0.09, 5.76, 368.6, 23592.9)]
    ['0.09', '5.8', '370', '24k']
    """
    digits = 1 - math.floor(math.log10(value))
    rounded = round(value, digits)
    if rounded >= 1000:
        return f"{rounded / 1000:g}k"
    return f"{rounded:g}"
