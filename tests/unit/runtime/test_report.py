import csv
import dataclasses
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.block import LineRange
from stripscan.contract.classes import NEU_CLASSES, DefectClass
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.contract.defect import Defect, DefectPhase
from stripscan.contract.errors import StoreError
from stripscan.contract.grading import Grading, Reason
from stripscan.contract.rle import runs_of
from stripscan.contract.roll_repeat import RollRepeat
from stripscan.runtime.report.export import write_csv, write_json
from stripscan.runtime.report.html import render_html, write_html
from stripscan.runtime.report.model import Report, build_report
from stripscan.runtime.report.thumbnails import thumbnail
from stripscan.runtime.store import CoilRecord, Picture, Store

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
COIL = CoilRecord(
    id="4711",
    station="exit",
    camera="cam",
    surface="top",
    started_at="2025-03-01T08:00:00+00:00",
    ended_at="2025-03-01T08:02:05+00:00",
    status="complete",
    width_px=2000,
    mm_per_px=0.5,
    mm_per_line=1.0,
    length_m=100.0,
    bundle_name="neu",
    bundle_digest="sha256:ab",
    classes=NEU_CLASSES,
    stats={"latency_p50_ms": 10, "latency_p99_ms": 20.5, "latency_max_ms": 31.0, "blocks": 7},
)


def a_defect(number: int = 1, **changes: object) -> Defect:
    defect = Defect(
        coil="4711",
        number=number,
        phase=DefectPhase.END,
        class_name="scratches",
        confidence=0.9,
        class_share={"scratches": 1.0},
        severity="minor",
        along_start_m=1.25,
        along_end_m=1.5,
        across_left_mm=100.0,
        across_right_mm=104.0,
        area_mm2=12.5,
        length_mm=250.0,
        width_mm=4.0,
        edge_left_mm=100.0,
        edge_right_mm=890.0,
        first_line=5,
        last_line=6,
        first_px=9,
        last_px=12,
        area_px=6,
    )
    return dataclasses.replace(defect, **changes)


def an_interval(
    start_m: float, end_m: float, status: str = "inspected", reason: str = "", camera: str = "cam"
) -> CoverageInterval:
    return CoverageInterval(
        camera=camera,
        lines=LineRange(start=round(start_m * 1000), stop=round(end_m * 1000)),
        along_start_m=start_m,
        along_end_m=end_m,
        status=CoverageStatus(status),
        reason=reason,
    )


def a_picture() -> Picture:
    image = np.full((40, 80), 128, np.uint8)
    return Picture(
        image_png=cv2.imencode(".png", image)[1].tobytes(),
        first_line=0,
        first_px=0,
        lines=40,
        width=80,
    )


def a_report(
    tmp_path: Path,
    *,
    coil: CoilRecord = COIL,
    defects: tuple[Defect, ...] = (),
    coverage: tuple[CoverageInterval, ...] = (an_interval(0, 100),),
    repeats: tuple[RollRepeat, ...] = (),
    pictures: bool = False,
    max_pictures: int = 300,
) -> Report:
    with Store.open(tmp_path / "line.sqlite") as store:
        store.start_coil(coil)
        with store.transaction():
            for defect in defects:
                store.put_defect(dataclasses.replace(defect, coil=coil.id))
                store.add_runs(coil.id, defect.number, np.array([[5, 10, 12], [6, 9, 13]]))
                if pictures:
                    store.put_picture(coil.id, defect.number, a_picture())
            for interval in coverage:
                store.put_coverage(coil.id, interval)
            for repeat in repeats:
                store.put_roll_repeat(dataclasses.replace(repeat, coil=coil.id))
        return build_report(store, coil.id, max_pictures=max_pictures)


def a_repeat(**changes: object) -> RollRepeat:
    repeat = RollRepeat(
        coil="4711",
        number=1,
        phase=DefectPhase.END,
        class_name="scratches",
        rolls=("F6 top", "F7 top"),
        period_mm=2136.28,
        diameter_mm=680.0,
        across_mm=400.25,
        first_m=10.5,
        last_m=31.25,
        prints=9,
        missed=2,
        defects=(1, 3),
    )
    return dataclasses.replace(repeat, **changes)


class Page(HTMLParser):
    """What a browser would make of a report: its tags, its text, its data."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.data = ""
        self._inside: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.tags.append((tag, values))
        if tag in {"script", "style"}:
            self._inside.append(values.get("id") or tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._inside.pop()

    def handle_data(self, text: str) -> None:
        if not self._inside:
            self.words.append(text)
        elif self._inside[-1] == "data":
            self.data += text

    @property
    def has_alert(self) -> bool:
        return any(values.get("role") == "alert" for _, values in self.tags)


def test_the_totals_of_a_report_are_those_of_its_coil(tmp_path: Path) -> None:
    report = a_report(
        tmp_path,
        defects=(
            a_defect(1, area_mm2=1.0),
            a_defect(2, area_mm2=2.0),
            a_defect(3, class_name="inclusion", severity="critical", area_mm2=0.5),
        ),
        coverage=(an_interval(0, 90), an_interval(90, 100, "dropped", "the queue was full")),
    )
    assert [d.defect.number for d in report.defects] == [3, 2, 1]
    assert report.by_severity == {"critical": 1, "major": 0, "minor": 2}
    totals = {c.defect_class.name: (c.count, c.area_mm2) for c in report.classes}
    assert totals["scratches"] == (2, 3.0)
    assert totals["inclusion"] == (1, 0.5)
    assert totals["crazing"] == (0, 0)
    assert report.inspected_percent == 90
    assert {t.status: t.length_m for t in report.coverage_totals}["dropped"] == 10
    assert (report.latency.p50_ms, report.latency.p99_ms, report.latency.max_ms) == (10, 20.5, 31)
    assert report.throughput_mpx_s is None
    assert report.strip_width_mm == 994.0


def test_metres_that_no_record_tells_of_are_unknown_and_never_clean(tmp_path: Path) -> None:
    report = a_report(tmp_path, coverage=(an_interval(10, 40), an_interval(60, 80)))
    spans = [(s.start_m, s.end_m, s.status.value) for s in report.coverage]
    assert spans == [
        (0, 10, "unknown"),
        (10, 40, "inspected"),
        (40, 60, "unknown"),
        (60, 80, "inspected"),
        (80, 100, "unknown"),
    ]
    assert report.inspected_percent == 50


def test_each_camera_must_have_seen_the_whole_coil(tmp_path: Path) -> None:
    coverage = (an_interval(0, 100), an_interval(0, 50, camera="cam2"))
    assert a_report(tmp_path, coverage=coverage).inspected_percent == 75


def test_a_coil_without_coverage_is_all_unknown(tmp_path: Path) -> None:
    report = a_report(tmp_path, coverage=())
    assert report.inspected_percent == 0
    assert [s.status for s in report.coverage] == ["unknown"]


def test_less_than_a_line_is_no_gap(tmp_path: Path) -> None:
    coverage = (an_interval(0, 33.3), an_interval(33.3004, 99.9996))
    assert a_report(tmp_path, coverage=coverage).inspected_percent == 100


def test_a_class_that_the_bundle_does_not_name_is_still_counted(tmp_path: Path) -> None:
    report = a_report(tmp_path, defects=(a_defect(class_name="blister"),))
    assert {c.defect_class.name: c.count for c in report.classes}["blister"] == 1
    assert "blister" in render_html(report)


def test_only_the_worst_bring_their_pictures_and_the_page_says_so(tmp_path: Path) -> None:
    defects = tuple(a_defect(n, area_mm2=float(n)) for n in range(1, 6))
    report = a_report(tmp_path, defects=defects, pictures=True, max_pictures=2)
    page = Page(render_html(report))
    assert set(json.loads(page.data)["pictures"]) == {"5", "4"}
    assert "The 2 worst defects by severity, then area, have their picture here" in page.text


def test_a_coil_that_was_inspected_throughout_has_no_warning(tmp_path: Path) -> None:
    page = Page(render_html(a_report(tmp_path)))
    assert not page.has_alert
    assert "No defect was found." in page.text
    assert "100 %" in page.text


def test_a_page_warns_of_what_was_not_inspected_and_says_why(tmp_path: Path) -> None:
    coverage = (an_interval(0, 90), an_interval(90, 100, "unknown", "the image was black"))
    page = Page(render_html(a_report(tmp_path, coverage=coverage)))
    assert page.has_alert
    assert "10.00 m of this coil were not fully inspected" in page.text
    assert "Only 90.00 % was inspected" in page.text
    assert "the image was black" in page.text
    assert "No defect was found in the 90.00 % that were inspected." in page.text


def test_a_hair_below_full_coverage_does_not_round_to_100(tmp_path: Path) -> None:
    coverage = (an_interval(0, 99.998), an_interval(99.998, 100, "dropped", "late"))
    page = Page(render_html(a_report(tmp_path, coverage=coverage)))
    assert page.has_alert
    assert "99.99 %" in page.text
    assert "100 %" not in page.text
    assert "< 0.01" in page.text


@pytest.mark.parametrize(
    ("status", "warning"),
    [
        ("running", "This coil has not ended"),
        ("interrupted", "The inspection of this coil was interrupted"),
        ("failed", "The inspection of this coil failed"),
    ],
)
def test_a_page_warns_of_a_coil_that_did_not_end_well(
    tmp_path: Path, status: str, warning: str
) -> None:
    coil = dataclasses.replace(COIL, status=status, ended_at=None, length_m=None)
    page = Page(render_html(a_report(tmp_path, coil=coil)))
    assert page.has_alert
    assert warning in page.text


def test_a_margin_and_an_alarm_of_the_light_stand_at_the_top(tmp_path: Path) -> None:
    stats = {"edge_margin_mm": 7.5, "illumination_alarm": "columns 0–127 -31 % against all"}
    page = Page(render_html(a_report(tmp_path, coil=dataclasses.replace(COIL, stats=stats))))
    assert page.has_alert
    assert "columns 0–127 -31 % against all" in page.text
    assert "without 7.5 mm at each edge" in page.text


def test_a_coil_of_which_nothing_is_known_has_a_page(tmp_path: Path) -> None:
    coil = dataclasses.replace(
        COIL, status="failed", length_m=None, stats={}, classes=(), started_at="yesterday"
    )
    page = Page(render_html(a_report(tmp_path, coil=coil, coverage=())))
    assert "Nothing of this coil is recorded as inspected" in page.text
    assert "yesterday" in page.text


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    evil_class = DefectClass(
        id=1, name=HOSTILE, title=HOSTILE, colour='red;background:url("//evil")', severity="major"
    )
    coil = dataclasses.replace(
        COIL, id=HOSTILE, station=HOSTILE, classes=(evil_class,), stats={HOSTILE: HOSTILE}
    )
    page = Page(
        render_html(
            a_report(
                tmp_path,
                coil=coil,
                defects=(a_defect(class_name=HOSTILE, severity=HOSTILE),),
                coverage=(an_interval(0, 9, "dropped", HOSTILE, camera=HOSTILE),),
            )
        )
    )
    assert [values.get("id") for tag, values in page.tags if tag == "script"] == ["data", None]
    assert "img" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, values in page.tags for name in values)
    assert f"Coil {HOSTILE}" in page.text
    data = json.loads(page.data)
    assert data["classes"] == [{"title": HOSTILE, "colour": "#8a939c"}]
    assert data["coverage"][0][4] == HOSTILE


def test_a_page_needs_nothing_from_elsewhere_and_may_fetch_nothing(tmp_path: Path) -> None:
    html = render_html(a_report(tmp_path, defects=(a_defect(),), pictures=True))
    page = Page(html)
    links = [v for _, values in page.tags for k, v in values.items() if k in {"src", "href"}]
    assert links == []
    assert not re.search(r"https?://|@import|fetch\(", html)
    policies = [v["content"] for t, v in page.tags if v.get("http-equiv")]
    assert len(policies) == 1
    assert "default-src 'none'" in (policies[0] or "")


def test_json_has_every_defect_with_its_mask(tmp_path: Path) -> None:
    report = a_report(tmp_path, defects=(a_defect(2), a_defect(1)), max_pictures=0)
    write_json(report, tmp_path / "r.json")
    document = json.loads((tmp_path / "r.json").read_text())
    assert (document["format"], document["version"]) == ("stripscan-report", 1)
    assert [d["number"] for d in document["defects"]] == [1, 2]
    assert document["defects"][0]["mask"] == {
        "encoding": "line,start_px,stop_px",
        "runs": [5, 10, 12, 6, 9, 13],
    }
    assert document["coil"]["id"] == "4711"
    assert document["coil"]["classes"][0]["name"] == "crazing"
    assert document["coverage_totals"][0] == {
        "status": "inspected",
        "length_m": 100.0,
        "percent": 100.0,
    }


def test_grade_rules_and_reasons_are_in_the_page_and_the_json(tmp_path: Path) -> None:
    report = a_report(tmp_path, defects=(a_defect(severity="ignore"),))
    assert "This coil was not graded." in Page(render_html(report)).text
    grading = Grading(
        coil="4711",
        graded_at="2025-03-01T08:03:00+00:00",
        rules_name=HOSTILE,
        rules_version="2025-03",
        rules_sha256="ab" * 32,
        rules_text="",
        grade="downgrade",
        reasons=(Reason(rule="scratches", verdict="downgrade", text=HOSTILE),),
    )
    with Store.open(tmp_path / "line.sqlite") as store:
        store.put_grading(grading)
        report = build_report(store, "4711")
    page = Page(render_html(report))
    assert f"downgrade scratches {HOSTILE}" in page.text
    assert "version 2025-03, on 1 Mar 2025" in page.text
    assert "ab" * 32 in page.text
    assert "1 ignore" in page.text  # forgiven, and still shown
    write_json(report, tmp_path / "r.json")
    told = json.loads((tmp_path / "r.json").read_text())["grading"]
    assert (told["grade"], told["rules_sha256"]) == ("downgrade", "ab" * 32)
    assert told["reasons"] == [{"rule": "scratches", "verdict": "downgrade", "text": HOSTILE}]


def test_csv_has_a_row_a_defect_with_units_in_the_names(tmp_path: Path) -> None:
    coil = dataclasses.replace(COIL, id='the "47,11"\nß')
    report = a_report(tmp_path, coil=coil, defects=(a_defect(2), a_defect(1)))
    write_csv(report, tmp_path / "r.csv")
    raw = (tmp_path / "r.csv").read_bytes()
    assert raw.startswith(b"coil,number,class_name,confidence,severity,")
    assert raw.endswith(b"\r\n")
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["coil"], r["number"]) for r in rows] == [(coil.id, "1"), (coil.id, "2")]
    assert rows[0]["along_start_m"] == "1.2500"
    assert rows[0]["area_mm2"] == "12.500"


def test_roll_repeats_are_in_all_reports(tmp_path: Path) -> None:
    defects = tuple(a_defect(n) for n in (1, 2, 3))
    evil = a_repeat(number=2, rolls=(HOSTILE,), class_name=HOSTILE, defects=())
    unknown = a_repeat(number=3, rolls=(), defects=())
    report = a_report(tmp_path, defects=defects, repeats=(a_repeat(), evil, unknown))
    page = Page(render_html(report))
    assert "F6 top or F7 top Scratches 2,136.3 680.0 400 10.50 31.25 9 2" in page.text
    assert f"2 {HOSTILE} {HOSTILE} 2,136.3" in page.text
    assert "3 none of the station file Scratches" in page.text
    assert json.loads(page.data)["rolls"] == [[10.5, 31.25, 400.2]] * 3
    write_json(report, tmp_path / "r.json")
    (first, *_) = json.loads((tmp_path / "r.json").read_text())["roll_repeats"]
    assert (first["rolls"], first["phase"], first["period_mm"], first["defects"]) == (
        ["F6 top", "F7 top"],
        "end",
        2136.28,
        [1, 3],
    )
    write_csv(report, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        assert [row["roll_repeat"] for row in csv.DictReader(file)] == ["1", "", "1"]


def test_a_coil_without_a_roll_repeat_says_nothing_of_rolls(tmp_path: Path) -> None:
    page = Page(render_html(a_report(tmp_path, defects=(a_defect(),))))
    assert "Roll repeats" not in page.text


@pytest.mark.parametrize("write", [write_html, write_json, write_csv])
def test_a_report_that_cannot_be_written_names_its_path(
    tmp_path: Path, write: Callable[[Report, Path], None]
) -> None:
    report = a_report(tmp_path)
    with pytest.raises(StoreError, match=r"the report .*nowhere.* cannot be written: No such file"):
        write(report, tmp_path / "nowhere" / "r")


def test_an_unknown_coil_has_no_report(tmp_path: Path) -> None:
    with (
        Store.open(tmp_path / "line.sqlite") as store,
        pytest.raises(StoreError, match="coil x is not in"),
    ):
        build_report(store, "x")


def test_a_thumbnail_has_the_proportions_of_the_strip_and_the_mask_in_place() -> None:
    mask = np.zeros((40, 80), np.uint8)
    mask[10:20, 40:60] = 1
    runs = runs_of(mask, first_line=1000) + [0, 500, 500]  # noqa: RUF005 - numpy adds, not joins
    picture = dataclasses.replace(a_picture(), first_line=1000, first_px=500)
    small = thumbnail(picture, runs, mm_per_px=0.5, mm_per_line=2.0)
    assert small is not None
    # 40 mm across, 80 mm along.
    assert (small.width, small.height) == (128, 256)
    x, y = np.array(
        [[float(v) for v in p.split()] for p in re.split("[MLZ]", small.outline) if p]
    ).T
    assert np.allclose([x.min(), x.max(), y.min(), y.max()], [64, 96, 64, 128], atol=2)


def test_a_scratch_of_one_pixel_keeps_its_outline_in_a_large_picture() -> None:
    image = np.full((2000, 1000), 128, np.uint8)
    picture = Picture(
        image_png=cv2.imencode(".png", image)[1].tobytes(),
        first_line=0,
        first_px=0,
        lines=2000,
        width=1000,
    )
    runs = np.array([[line, 500, 501] for line in range(2000)], np.int64)
    small = thumbnail(picture, runs, mm_per_px=1, mm_per_line=1)
    assert small is not None
    assert small.outline.startswith("M")


def test_a_picture_that_cannot_be_decoded_leaves_the_defect_in_the_list(tmp_path: Path) -> None:
    report = a_report(tmp_path, defects=(a_defect(),), pictures=True)
    damaged = dataclasses.replace(a_picture(), image_png=b"not a picture")
    broken = dataclasses.replace(
        report, defects=(dataclasses.replace(report.defects[0], picture=damaged),)
    )
    data = json.loads(Page(render_html(broken)).data)
    assert data["pictures"] == {}
    assert data["defects"]["number"] == [1]


def test_a_coil_of_20_000_defects_stays_a_page_that_opens(tmp_path: Path) -> None:
    defects = tuple(a_defect(n, along_start_m=n / 250) for n in range(1, 20_003))
    report = a_report(tmp_path, defects=defects)
    write_html(report, tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size < 3_000_000
    page = Page((tmp_path / "r.html").read_text())
    assert len(json.loads(page.data)["defects"]["number"]) == 20_000
    assert "the 20,000 worst of 20,002 defects" in page.text
