"""Reviews become a data set that ``stripscan data prepare`` takes in."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.classes import CLASS_ID
from stripscan.dataset.images import read_ids
from stripscan.dataset.prepare import prepare
from stripscan.runtime.store import Picture, Store
from stripscan.runtime.web.database import WebDatabase
from stripscan.runtime.web.relabel import relabel_zip, relabelled
from stripscan.runtime.web.reviews import Review, Reviews
from unit.runtime.web_samples import put_coil


def test_a_relabel_set_says_what_reviews_said_and_nothing_more(tmp_path: Path) -> None:
    reviews = Reviews(WebDatabase(tmp_path / "web.db"))
    with Store.open(tmp_path / "line.db") as store:
        found = put_coil(store, "C 1/ä", defects=6)
        last = found[5]
        store.put_picture(
            "C 1/ä",
            last.number,
            Picture(image_png=b"no picture", first_line=0, first_px=0, lines=9, width=9),
        )
        reviews.add("C 1/ä", 1, "confirm", class_name=found[0].class_name, user="eva")
        reviews.add("C 1/ä", 2, "confirm", class_name=found[1].class_name, user="eva")
        reviews.add("C 1/ä", 2, "reclass", class_name="scratches", user="ida")
        reviews.add("C 1/ä", 3, "reject", class_name="", user="eva")
        reviews.add("C 1/ä", 4, "reject", class_name="", user="eva")
        reviews.add("C 1/ä", 4, "undo", class_name="", user="eva")
        reviews.add("C 1/ä", 6, "reject", class_name="", user="eva")
        packed = relabel_zip(store, reviews.of_coil("C 1/ä").values())
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path / "set")
        assert all(".." not in name and not name.startswith("/") for name in archive.namelist())
    said = json.loads((tmp_path / "set/reviews/reviews.json").read_text("utf-8"))
    assert [r["number"] for r in said["reviews"]] == [1, 2, 3]
    assert [(r["number"], r["why"]) for r in said["left_out"]] == [(6, "its picture is damaged")]
    assert "--mm-per-px 0.5" in (tmp_path / "set/README.txt").read_text("utf-8")
    prepared = prepare(tmp_path / "set", tmp_path / "out")
    assert prepared.record.counts.images == 3
    inside = np.s_[10:30, 10:30]
    masks = [read_ids(path) for path in sorted((tmp_path / "out/masks").iterdir())]
    for mask, value in zip(
        masks, (CLASS_ID[found[0].class_name], CLASS_ID["scratches"], 0), strict=True
    ):
        assert set(np.unique(mask[inside]).tolist()) == {value}
        mask[inside] = 255
        assert set(np.unique(mask).tolist()) == {255}, "nobody has said anything of the rest"


def test_a_mask_is_placed_as_its_scaled_picture_shows_it() -> None:
    picture = Picture(image_png=b"", first_line=100, first_px=50, lines=40, width=80)
    review = Review(coil="a", number=1, verdict="confirm", class_name="patches", user="eva", at="")
    runs = np.array([[line, 70, 90] for line in range(110, 120)])
    mask = relabelled(picture, (40, 20), [(review, runs)])
    assert mask.shape == (20, 40)
    rows, columns = np.nonzero(mask != 255)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 9, 10, 19)
    assert set(mask[5:10, 10:20].ravel().tolist()) == {CLASS_ID["patches"]}


def test_the_last_review_counts_and_an_alarm_is_seen_once(tmp_path: Path) -> None:
    reviews = Reviews(WebDatabase(tmp_path / "web.db"))
    assert reviews.of_coil("a") == {}
    for verdict in ("confirm", "reject"):
        reviews.add("a", 2, verdict, class_name="", user="eva")  # type: ignore[arg-type]
    reviews.add("a", 1, "confirm", class_name="patches", user="ida")
    assert {n: r.verdict for n, r in reviews.of_coil("a").items()} == {1: "confirm", 2: "reject"}
    assert reviews.coils() == ("a",)
    reviews.acknowledge("hold:a", "eva")
    reviews.acknowledge("hold:a", "ida")
    assert reviews.acknowledged() == {"hold:a": "eva"}


@pytest.mark.parametrize("verdict", ["maybe", ""])
def test_a_verdict_that_is_none_is_not_kept(tmp_path: Path, verdict: str) -> None:
    reviews = Reviews(WebDatabase(tmp_path / "web.db"))
    with pytest.raises(Exception, match="CHECK"):
        reviews.add("a", 1, verdict, class_name="", user="eva")  # type: ignore[arg-type]
