import re

from stripscan.dataset.scoring.cases import KINDS, CaseBook
from stripscan.dataset.scoring.evaluation import Evaluator
from stripscan.dataset.scoring.page.render import Compared, render_page
from unit.dataset.scoring.scoring_samples import field, result, sample, seen, truth

DEFECT = (2, slice(0, 10), slice(0, 10))
OTHER = (6, slice(0, 10), slice(0, 10))
ALARM = (3, slice(25, 35), slice(25, 35))

IMAGES = {
    "x/<good>": (field(DEFECT), field(DEFECT)),
    "x/wrong": (field(DEFECT), field(OTHER)),
    "x/missed": (field(DEFECT), field()),
    "x/alarm": (field(DEFECT), field(DEFECT, ALARM)),
}


def scored() -> tuple[Evaluator, CaseBook]:
    evaluator, book = Evaluator(), CaseBook()
    for name, (label, prediction) in IMAGES.items():
        book.add(evaluator.add(sample(name=name), truth(label), seen(prediction)))
    return evaluator, book


def test_each_kind_of_error_is_kept_under_its_name():
    evaluator, book = scored()

    cases = book.chosen(result(evaluator).sources)

    assert tuple(cases) == KINDS
    assert cases["best"][0].sample.name == "x/<good>"
    assert {c.sample.name for c in cases["worst"][:2]} == {"x/wrong", "x/missed"}
    assert [c.sample.name for c in cases["wrong class"]] == ["x/wrong"]
    assert [c.sample.name for c in cases["missed defect"]] == ["x/missed"]
    (alarm,) = cases["false alarm"]
    assert (alarm.sample.name, alarm.note) == ("x/alarm", "Patches, 100 px")
    assert [o.title for o in alarm.label] == ["Inclusion"]
    assert [o.title for o in alarm.prediction] == ["Inclusion", "Patches"]
    assert alarm.label[0].path == "M0.5 0.5L0.5 9.5L9.5 9.5L9.5 0.5Z"


def test_copies_of_one_picture_are_shown_once():
    _, book = scored()

    cases = book.chosen(dict.fromkeys(IMAGES, 0))

    assert all(len(found) == 1 for found in cases.values())


def test_only_the_most_telling_are_kept():
    book, evaluator = CaseBook(), Evaluator()
    for width in range(40):
        label, prediction = field(DEFECT), field((2, slice(0, 10), slice(0, width)))
        scored_image = evaluator.add(sample(name=f"x/{width}"), truth(label), seen(prediction))
        book.add(scored_image)

    best = book.chosen({f"x/{width}": width for width in range(40)}, each=3)["best"]

    assert [c.sample.name for c in best] == ["x/10", "x/11", "x/9"]


def test_the_page_has_every_figure_and_asks_nobody_for_anything():
    evaluator, book = scored()
    evaluation = result(evaluator)
    compared = Compared(
        model="model <1>",
        evaluation=evaluation,
        baseline=evaluation,
        cases=book.chosen(evaluation.sources),
    )

    html = render_page(compared)

    assert "model &lt;1&gt;" in html
    assert "x/&lt;good&gt;" in html
    assert "<script" not in html
    assert not re.search(r"(?:href|src)=\"(?!#|data:)", html)
    assert html.count("<image ") == html.count("<use ") == 4 + 4 + 3
    for name in ("detection_rate", "miou_pixel", "ece", "unlabelled metal", "5-20 mm²"):
        assert name in html
    detected = evaluation.figures["detection_rate"]
    assert f"{detected:.3f}" in html


def test_a_page_of_little_has_dashes():
    evaluator = Evaluator()
    evaluator.add(sample(), truth(field()), seen(field()))
    compared = Compared(model="m", evaluation=result(evaluator), baseline=None, cases={})

    html = render_page(compared)

    assert "no pixel was predicted as a defect" in html
    assert "–" in html
