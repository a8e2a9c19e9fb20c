"""Input that cannot be used: what the user is told, the exit code, and that nothing is left."""

import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from integration.cli.program import fine, listing, refused, run, simulator, station
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.store import Store

BOMB = """\
<?xml version="1.0"?>
<!DOCTYPE annotation [
  <!ENTITY a "aaaaaaaaaaaaaaaa">
  <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
  <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
  <!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
]>
<annotation><object><name>&d;</name></object></annotation>
"""


def flipped(path: Path) -> None:
    data = bytearray(default_bundle_path().read_bytes())
    data[len(data) // 2] ^= 0x20
    path.write_bytes(data)


def truncated(path: Path) -> None:
    path.write_bytes(default_bundle_path().read_bytes()[:-5000])


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("manifest.json", bytes(20_000_000))


def climbing(path: Path) -> None:
    shutil.copy(default_bundle_path(), path)
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("../climbed.txt", "out")


BAD_BUNDLES = [
    (flipped, "copy the bundle again"),
    (truncated, "the end of the zip is missing"),
    (bomb, "it is no bundle; do not use it"),
    (climbing, "'../climbed.txt' is no safe file name"),
]


@pytest.mark.parametrize(("spoil", "said"), BAD_BUNDLES)
def test_predict_refuses_a_bad_bundle(
    image: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(tmp_path / "bad.zip")
    before = listing(tmp_path)
    message = refused(run("predict", "bad.zip", image, cwd=tmp_path), 2)
    assert "error: bad.zip: " in message
    assert said in message
    assert listing(tmp_path) == before
    assert not (tmp_path.parent / "climbed.txt").exists()


def test_run_refuses_a_bad_bundle(tmp_path: Path) -> None:
    flipped(tmp_path / "bad.zip")
    file = station(tmp_path, source=simulator(), bundle="bad.zip")
    before = listing(tmp_path)
    assert f"{tmp_path / 'bad.zip'}: " in refused(run("run", file, cwd=tmp_path), 2)
    assert listing(tmp_path) == before


def test_doctor_fails_on_a_bad_bundle_and_a_bad_station(tmp_path: Path) -> None:
    flipped(tmp_path / "bad.zip")
    file = station(tmp_path, source=simulator(), store="none/line.db")
    done = run("doctor", "--bundle", "bad.zip", "--station", file, cwd=tmp_path)
    assert "bundle, store: see above what to do" in refused(done, 1)
    assert "copy the bundle again" in " ".join(done.stdout.split())


def unreadable(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"no picture" * 10)


def deep(path: Path) -> None:
    path.write_bytes(cv2.imencode(".png", np.full((64, 64), 4000, np.uint16))[1].tobytes())


BAD_IMAGES = [
    (unreadable, "the file ends early"),
    (deep, "the image has 16 bits (values 4000 to 4000); stripscan works on 8 bits"),
    (lambda path: None, "the image cannot be read (No such file or directory)"),
]


@pytest.mark.parametrize(("spoil", "said"), BAD_IMAGES)
def test_predict_refuses_a_bad_image_and_keeps_the_results_before_it(
    image: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(tmp_path / "bad.png")
    message = refused(run("predict", "default", image, "bad.png", cwd=tmp_path), 2)
    assert f"error: bad.png: {said}" in message
    assert sorted(listing(tmp_path / "predictions")) == [
        f"{image.stem}.{kind}" for kind in ("json", "mask.png", "overlay.png")
    ]


def test_an_unreadable_frame_is_unknown_strip_or_ends_the_run_as_the_station_says(
    frames: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in ("block_000000.png", "block_000002.png"):
        shutil.copy(frames / name, folder)
    unreadable(folder / "block_000001.png")
    source = 'kind = "folder"\npath = "frames"'

    fine(run("run", station(tmp_path, source=source, coil="goes-on"), cwd=tmp_path))
    strict = station(tmp_path, source=f'{source}\non_bad_image = "stop"', coil="stops")
    assert "block_000001.png: the file ends early" in refused(run("run", strict, cwd=tmp_path), 2)

    with Store.open(tmp_path / "stripscan.db", readonly=True) as store:
        kept = [(str(i.status), i.lines.lines) for i in store.coverage("goes-on")]
        assert [lines for status, lines in kept if status == "inspected"] == [200, 200]
        assert sum(lines for _, lines in kept) == 600
        assert store.coil("stops").status == "failed"
        assert sum(i.lines.lines for i in store.coverage("stops")) == 200


def test_predict_refuses_an_xml_bomb(image: Path, tmp_path: Path) -> None:
    (tmp_path / "bomb.xml").write_text(BOMB)
    done = run("predict", "default", image, "--annotations", "bomb.xml", cwd=tmp_path)
    assert "bomb.xml: the annotation is refused, because it declares XML" in refused(done, 2)
    assert listing(tmp_path / "predictions") == {}


def test_eval_refuses_an_xml_bomb(image: Path, tmp_path: Path) -> None:
    for place in ("IMAGES", "ANNOTATIONS"):
        (tmp_path / "neu-det" / place).mkdir(parents=True)
    shutil.copy(image, tmp_path / "neu-det" / "IMAGES" / "patches_1.png")
    (tmp_path / "neu-det" / "ANNOTATIONS" / "patches_1.xml").write_text(BOMB)
    before = listing(tmp_path)
    done = run("eval", "--data", "neu-det", "--json", "out.json", cwd=tmp_path)
    assert "patches_1.xml: the annotation is refused" in refused(done, 2)
    assert listing(tmp_path) == before


def test_a_typo_in_the_station_file_is_named_with_the_key_that_was_meant(tmp_path: Path) -> None:
    file = station(tmp_path, source=simulator())
    file.write_text(file.read_text().replace("mm_per_line", "mm_per_lines"))
    for ask in (["run", file], ["run", file, "--check"]):
        message = refused(run(*ask, cwd=tmp_path), 2)
        assert f"{file}:5: camera.mm_per_lines is not known; did you mean mm_per_line?" in message
    assert list(listing(tmp_path)) == [file.name]


def test_a_missing_station_file_is_named(tmp_path: Path) -> None:
    message = refused(run("run", "line.toml", cwd=tmp_path), 2)
    assert "line.toml: cannot read the station file: No such file or directory" in message
    assert listing(tmp_path) == {}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('kind = "folder"\npath = "none"', "Set source.path to a folder of images"),
        ('kind = "folder"\npath = "."\npattern = "*.tif"', "fits pattern '*.tif'"),
        (simulator(length_m=0.2, defects_per_class=50), "no room for 300 defects"),
    ],
)
def test_a_source_that_delivers_nothing_begins_no_coil(
    tmp_path: Path, source: str, said: str
) -> None:
    file = station(tmp_path, source=source)
    assert said in refused(run("run", file, "--check", cwd=tmp_path), 2)
    assert list(listing(tmp_path)) == [file.name]

    file = station(tmp_path, source=simulator(length_m=0.2, defects_per_class=0), coil="good")
    fine(run("run", file, cwd=tmp_path))
    bad = station(tmp_path, source=source, coil="bad")
    assert said in refused(run("run", bad, cwd=tmp_path), 2)
    with Store.open(tmp_path / "stripscan.db", readonly=True) as store:
        assert [coil.id for coil in store.coils()] == ["good"]


def test_a_store_in_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    file = station(tmp_path, source=simulator(), store="none/line.db")
    said = f"the folder {tmp_path / 'none'} does not exist: make it"
    assert said in refused(run("run", file, cwd=tmp_path), 3)
    assert said in refused(run("run", file, "--check", cwd=tmp_path), 3)
    assert list(listing(tmp_path)) == [file.name]


def test_an_id_is_given_to_one_coil_only(tmp_path: Path) -> None:
    file = station(tmp_path, source=simulator(length_m=0.2, defects_per_class=0))
    fine(run("run", file, cwd=tmp_path))
    store = tmp_path / "stripscan.db"
    with Store.open(store, readonly=True) as opened:
        before = opened.coils()
    for ask in (["run", file], ["run", file, "--check"]):
        message = refused(run(*ask, cwd=tmp_path), 3)
        assert f"coil coil-1 is already in {store}; choose another id" in message
    with Store.open(store, readonly=True) as opened:
        assert opened.coils() == before


def test_report_of_an_unknown_coil_names_the_one_that_was_meant(tmp_path: Path) -> None:
    file = station(tmp_path, source=simulator(length_m=0.2, defects_per_class=0))
    fine(run("run", file, cwd=tmp_path))
    message = refused(run("report", "coil-l", cwd=tmp_path), 3)
    assert "coil coil-l is not in stripscan.db: did you mean coil-1?" in message
    assert not list(tmp_path.glob("*.html"))


def test_a_store_without_a_coil_has_nothing_to_report(tmp_path: Path) -> None:
    Store.open(tmp_path / "stripscan.db").close()
    assert "holds no coil yet" in refused(run("report", cwd=tmp_path), 3)
    assert not list(tmp_path.glob("*.html"))


def some_text(path: Path) -> None:
    path.write_text("nothing of a database\n" * 100)


def another_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE invoice (number INTEGER)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [(some_text, "is not a stripscan store"), (another_database, "but not a stripscan store")],
)
def test_a_file_that_is_no_store_is_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    make(tmp_path / "stripscan.db")
    before = (tmp_path / "stripscan.db").read_bytes()
    file = station(tmp_path, source=simulator())
    for ask in (["run", file], ["report"]):
        assert said in refused(run(*ask, cwd=tmp_path), 3)
    assert (tmp_path / "stripscan.db").read_bytes() == before
    assert not list(tmp_path.glob("*.html"))


def test_two_images_of_one_name_are_refused_before_anything_is_written(
    image: Path, tmp_path: Path
) -> None:
    twin = image.parent / "truth" / image.name
    message = refused(run("predict", "default", image, twin, cwd=tmp_path), 2)
    assert f"two images are called '{image.stem}'" in message
    assert listing(tmp_path) == {}


def test_a_data_folder_that_is_none_is_told(tmp_path: Path) -> None:
    for ask in (["eval", "--data", "none"], ["data", "split", "none"]):
        message = refused(run(*ask, cwd=tmp_path), 2)
        assert "none: there is no such folder of images" in message
    assert listing(tmp_path) == {}


def test_simulate_leaves_a_folder_with_content_alone(frames: Path) -> None:
    before = listing(frames)
    done = run("simulate", "--out", frames, "--defects-per-class", "0", cwd=frames.parent)
    assert "is not an empty folder: name a new one" in refused(done, 2)
    assert listing(frames) == before
