import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.inspection import charts
from stripscan.dataset.inspection.distribution import distribution
from stripscan.dataset.inspection.findings import findings
from stripscan.dataset.inspection.observe import observe
from stripscan.dataset.inspection.orientation import best_turn, small, turned
from stripscan.dataset.inspection.page import render_page
from stripscan.dataset.inspection.survey import survey
from stripscan.dataset.split import Split
from unit.dataset.inspection_samples import boxed, mask, masked, metal


def look(samples, **options):
    return survey(samples, **{"mm_per_px": 0.5} | options)


def figures_of(seen, class_name, kind="mask"):
    (found,) = (f for f in seen.classes if (f.class_name, f.kind) == (class_name, kind))
    return found


# What one image says


def test_components_of_a_mask_are_defects_with_their_size(tmp_path):
    label = mask(("patches", 10, 20, 8, 4), ("patches", 50, 50, 3, 3), ("scratches", 70, 0, 2, 100))
    seen = observe(masked(tmp_path, "a", metal(1), label))

    patches, scratches = seen.marked

    assert sorted(patches.defects.tolist()) == [[10, 20, 8, 4, 32], [50, 50, 3, 3, 9]]
    assert scratches.defects.tolist() == [[70, 0, 2, 100, 200]]
    assert (patches.specks, scratches.specks) == (1, 0)
    assert (seen.state, seen.overlapping) == ("mask", ())


def test_boxes_that_overlap_stay_two_defects_and_two_classes_that_do_are_told(tmp_path):
    seen = observe(
        boxed(
            *(tmp_path, "a", metal(1)),
            ("inclusion", 10, 10, 20, 20),
            ("inclusion", 20, 20, 20, 20),
            ("crazing", 0, 0, 100, 100),
        )
    )

    crazing, inclusion = seen.marked

    assert inclusion.defects[:, 4].tolist() == [400, 400]
    assert seen.overlapping == ((1, 2),)
    assert (crazing.frame_filling, inclusion.frame_filling) == (1, 0)


def test_contrast_is_against_the_metal_around_and_not_against_other_defects(tmp_path):
    image = np.full((100, 100), 100, np.uint8)
    image[40:50, 40:50] = 160
    image[40:50, 50:60] = 250
    label = mask(("patches", 40, 40, 10, 10), ("scratches", 50, 40, 10, 10))

    patches, scratches = observe(masked(tmp_path, "a", image, label)).marked

    assert (patches.grey_mean, patches.grey_std, patches.contrast) == (160, 0, 60)
    assert scratches.contrast == 150


def test_a_defect_that_leaves_no_metal_has_no_contrast(tmp_path):
    (marked,) = observe(boxed(tmp_path, "a", metal(1), ("crazing", 0, 0, 100, 100))).marked

    assert marked.contrast is None


@pytest.mark.parametrize(
    ("label", "state"),
    [
        (mask(), "clean metal"),
        (None, "unlabelled"),
        (np.full((100, 100), 255, np.uint8), "unlabelled"),
        (mask(("patches", 0, 0, 5, 5)), "mask"),
    ],
)
def test_clean_metal_is_not_an_image_without_a_label(tmp_path, label, state):
    assert observe(masked(tmp_path, "a", metal(1), label)).state == state


# What a data set says


@pytest.fixture
def tiny(tmp_path):
    """Four images: two patches, one patch and a scratch, clean metal, boxes."""
    return [
        masked(tmp_path, "p", metal(1), mask(("patches", 0, 0, 10, 10), ("patches", 50, 0, 4, 5))),
        masked(
            tmp_path, "s", metal(2), mask(("patches", 0, 0, 20, 10), ("scratches", 60, 0, 2, 80))
        ),
        masked(tmp_path, "clean", metal(3), mask()),
        boxed(tmp_path, "x", metal(4), ("crazing", 0, 0, 50, 100)),
    ]


def test_figures_of_a_tiny_data_set(tiny):
    seen = look(tiny)
    patches = figures_of(seen, "patches")

    assert (seen.images, seen.pictures, seen.groups, seen.joined_pictures) == (4, 4, 4, 0)
    assert [(d.name, d.images, d.states) for d in seen.datasets] == [
        ("b", 1, {"boxes": 1}),
        ("m", 3, {"mask": 2, "clean metal": 1}),
    ]
    assert seen.datasets[1].classes["patches"] == 2
    assert seen.datasets[1].sizes == {"100 x 100": 3}
    assert (patches.images, patches.pictures, patches.defects) == (2, 2, 3)
    assert patches.area_px.counts == (0, 0, 0, 0, 1, 0, 1, 1)  # 20 in 16-32, 100 in 64-128, 200
    assert patches.area_mm2.maximum == 200 * 0.5**2
    assert patches.defects_per_image.counts[:2] == (1, 1)
    assert patches.width_px.median == 10
    assert [(p.first, p.second, p.images) for p in seen.together] == [("patches", "scratches", 1)]


def test_a_heat_map_is_the_share_of_images_that_are_labelled_there(tiny):
    heat = np.array(figures_of(look(tiny), "patches").heat)

    assert heat.shape == (20, 20)
    assert heat[0, :5].tolist() == [1, 1, 0.5, 0.5, 0]
    assert not heat[5:].any()


def test_an_even_map_has_no_unevenness_and_half_a_frame_has_one(tiny, tmp_path):
    full = boxed(tmp_path, "full", metal(5), ("pitted_surface", 0, 0, 100, 100))
    seen = look([*tiny, full])

    assert figures_of(seen, "pitted_surface", "boxes").unevenness == 0
    assert figures_of(seen, "crazing", "boxes").unevenness == pytest.approx(1)


def test_what_is_counted_goes_into_json_and_back(tiny):
    plain = look(tiny).to_json()

    assert json.loads(json.dumps(plain, allow_nan=False))["classes"][1]["defects"] == 3
    assert (plain["format"], plain["version"], plain["split"]) == ("stripscan-inspection", 1, None)


def test_unlabelled_images_alone_make_a_page(tmp_path):
    sample = masked(tmp_path, "a", metal(1), None)
    seen = look([sample])

    page = render_page(seen, [sample], title="t")

    assert seen.classes == ()
    assert "Images without a label: 1" in page


@pytest.mark.parametrize("mm_per_px", [0.0, -1.0, float("nan"), float("inf")])
def test_a_pixel_without_a_size_is_refused(tiny, mm_per_px):
    with pytest.raises(ConfigError, match="size of a pixel in mm"):
        look(tiny, mm_per_px=mm_per_px)


def test_no_images_are_refused():
    with pytest.raises(DataError, match="no images"):
        look([])


# Copies and their labels


def test_a_planted_copy_is_found_and_its_equal_label_agrees(tiny, tmp_path):
    label = mask(("patches", 0, 0, 10, 10), ("patches", 50, 0, 4, 5))
    twin = masked(tmp_path, "twin", np.rot90(metal(1)), np.rot90(label), dataset="n")
    seen = look([*tiny, twin])

    (agreement,) = seen.twins.agreements
    (group,) = seen.largest_groups

    assert (seen.images, seen.pictures, seen.twins.repeated_pictures) == (5, 4, 1)
    assert (seen.twins.turned_copies, seen.twins.upright_copies) == (1, 0)
    assert (agreement.pairs, agreement.same, agreement.iou.mean) == (1, 1, 1)
    assert seen.twins.worst == ()
    assert group.names == ("m/p", "n/twin")


def test_a_planted_conflict_is_measured_and_shown_in_one_orientation(tmp_path):
    first = masked(tmp_path, "a", metal(1), mask(("patches", 0, 0, 20, 10)))
    wrong = mask(("patches", 10, 0, 20, 10))
    second = masked(tmp_path, "b", np.rot90(metal(1))[:, ::-1], np.rot90(wrong)[:, ::-1])

    seen = look([first, second])
    (pair,) = seen.twins.worst
    shown = turned(observe(second).label, pair.turn)

    assert pair.iou == pytest.approx(100 / 300)
    assert (pair.problem, pair.first, pair.second) == ("pixels", "m/a", "m/b")
    assert np.array_equal(shown > 0, wrong > 0)
    assert (seen.twins.agreements[0].different, seen.twins.agreements[0].same) == (1, 0)


def test_swapped_classes_are_told_from_a_class_that_one_label_leaves_out(tmp_path):
    both = (("patches", 0, 0, 20, 20), ("scratches", 50, 50, 20, 20))
    swapped = (("scratches", 0, 0, 20, 20), ("patches", 50, 50, 20, 20))
    samples = [
        masked(tmp_path, "a", metal(1), mask(*both)),
        masked(tmp_path, "b", metal(1), mask(*swapped)),
        masked(tmp_path, "c", metal(2), mask(*both)),
        masked(tmp_path, "d", metal(2), mask(both[0])),
    ]

    seen = look(samples)

    assert [(p.first, p.problem, p.iou) for p in seen.twins.worst] == [
        ("m/a", "swapped", 0.0),
        ("m/c", "classes", 0.5),
    ]
    (agreement,) = seen.twins.agreements
    assert (agreement.swapped, agreement.other_classes) == (1, 1)
    assert seen.twins.exact_copies == 2


def test_a_box_is_compared_with_the_mask_of_the_same_picture(tmp_path):
    samples = [
        boxed(tmp_path, "box", metal(1), ("inclusion", 20, 20, 20, 10)),
        masked(tmp_path, "mask", metal(1), mask(("inclusion", 20, 20, 5, 10))),
    ]

    (agreement,) = look(samples).twins.agreements

    assert (agreement.kinds, agreement.iou.mean) == ("boxes mask", 0.25)


def test_pixels_that_one_label_does_not_know_are_no_conflict(tmp_path):
    ignored = mask(("patches", 0, 0, 20, 10))
    ignored[ignored > 0] = 255
    ignored[50:60, 50:60] = 3
    samples = [
        masked(tmp_path, "a", metal(1), ignored),
        masked(
            *(tmp_path, "b", metal(1)),
            mask(("patches", 0, 0, 20, 10), ("patches", 50, 50, 10, 10)),
        ),
        masked(tmp_path, "c", metal(1), None),
    ]

    seen = look(samples)

    assert [a.same for a in seen.twins.agreements] == [1]
    assert seen.twins.uncompared == 1


def test_copies_without_end_are_counted_and_not_all_compared(tmp_path):
    label = mask(("patches", 0, 0, 20, 10))
    seen = look([masked(tmp_path, f"{i:02}", metal(1), label) for i in range(20)])

    assert (seen.twins.exact_copies, seen.twins.uncompared) == (19, 4)
    assert seen.twins.agreements[0].pairs == 16 * 15 // 2


@given(turn=st.integers(0, 7))
def test_the_turn_of_a_copy_is_found(turn):
    image = metal(7)
    # All eight are tried, because the inverse of a turn is another one.
    copy = np.ascontiguousarray(turned(image, turn))

    found, alike = best_turn(small(image), small(copy))

    assert np.array_equal(turned(copy, found), image)
    assert alike == pytest.approx(1, abs=1e-3)


# Splits


def test_a_metal_on_two_sides_is_named_and_the_balance_counted(tiny, tmp_path):
    twin = masked(tmp_path, "twin", np.rot90(metal(1)), mask(("patches", 0, 0, 9, 9)))
    split = Split(train=("m/p", "m/s"), val=("m/clean",), test=("m/twin",))

    seen = look([*tiny, twin], split=split)

    assert [(s.name, s.images, s.groups) for s in seen.split.sides] == [
        ("train", 2, 2),
        ("val", 1, 1),
        ("test", 1, 1),
        ("unused", 1, 1),
    ]
    assert seen.split.sides[0].classes["patches"] == 2
    assert seen.split.leaks == 1
    assert dict(seen.split.leaking[0].sides) == {"train": ("m/p",), "test": ("m/twin",)}
    assert findings(seen)[0].title == "The split leaks: groups on two sides: 1"


def test_a_split_of_other_pixels_and_of_other_images_is_told(tiny):
    changed = Split(train=("m/p",), val=(), test=(), pixels={"m/p": "0" * 16})
    foreign = Split(train=("m/p", "else/where"), val=(), test=())

    assert look(tiny, split=changed).split.changed == 1
    with pytest.raises(DataError, match="'else/where' among them"):
        look(tiny, split=foreign)


# The page


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


HOSTILE = "<script>alert(1)<&\"'><img src=x onerror=alert(2)>"


def test_a_hostile_name_is_text(tmp_path):
    label = mask(("patches", 0, 0, 20, 20))
    samples = [
        dataclasses.replace(
            masked(tmp_path, str(i), metal(1), turned(label, i)),
            name=f"{HOSTILE}/{i}",
            dataset=HOSTILE,
        )
        for i in (0, 1)
    ]

    page = Tags(render_page(look(samples), samples, title=HOSTILE))

    assert "script" not in page.tags
    assert not {name for name, _ in page.attributes if name.startswith("on")}
    assert page.text.count(HOSTILE) > 5


def test_a_page_asks_nobody_for_anything(tiny):
    page = Tags(render_page(look(tiny), tiny, title="tiny"))

    addresses = [value or "" for name, value in page.attributes if name in {"src", "href"}]

    assert addresses
    assert {address.partition(":")[0] for address in addresses if not address.startswith("#")} == {
        "data"
    }
    assert not re.search(r"url\(|@import|https?://", page.text)


def test_every_finding_leads_to_a_section_of_the_page(tiny, tmp_path):
    twin = masked(tmp_path, "twin", metal(1), mask(("scratches", 0, 0, 10, 10)))
    samples = [*tiny, twin]
    seen = look(samples, split=Split(train=("m/p",), val=(), test=("m/twin",)))
    page = Tags(render_page(seen, samples, title="tiny"))

    ids = {value for name, value in page.attributes if name == "id"}

    assert len(findings(seen)) > 5
    assert {finding.place for finding in findings(seen)} <= ids


def test_a_chart_escapes_its_texts_and_shares_of_nothing_are_nothing():
    drawn = str(charts.histogram(colour="#000000", ticks=[(0, "<b>")], label='"x', filled=[0, 0]))

    assert "<b>" not in drawn
    assert "&lt;b&gt;" in drawn
    assert '"&#34;x"' in drawn
    assert "<rect" not in drawn


# Distributions


@given(st.lists(st.integers(-10, 30)))
def test_no_value_is_lost_in_a_histogram(values):
    found = distribution(values, [0, 5, 10, 20])

    assert sum(found.counts) == found.n == len(values)
    assert found.counts[0] == sum(v < 5 for v in values)
    assert found.maximum == (max(values) if values else None)
