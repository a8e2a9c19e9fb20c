"""data inspect on generated images."""

import json
from pathlib import Path

import cv2
import pytest

from integration.cli.program import fine, listing, refused, run
from stripscan.dataset.split import Split, write_split


@pytest.fixture
def folder(labelled: Path, tmp_path: Path) -> Path:
    """Return a data set with a turned copy of one of its images."""
    for part in ("images", "masks"):
        (tmp_path / "made" / part).mkdir(parents=True)
        for path in sorted((labelled / part).iterdir())[:4]:
            # Square, so that a quarter turn fits the same mask size.
            square = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:, :200]
            cv2.imwrite(str(tmp_path / "made" / part / path.name), square)
        first = sorted((tmp_path / "made" / part).iterdir())[0]
        turned = cv2.rotate(cv2.imread(str(first), cv2.IMREAD_UNCHANGED), cv2.ROTATE_180)
        cv2.imwrite(str(first.with_name("turned.png")), turned)
    return tmp_path / "made"


def test_inspect_writes_a_page_and_the_same_figures(folder: Path, tmp_path: Path) -> None:
    done = run(
        *("data", "inspect", folder, "--out", "page.html", "--json", "figures.json"), cwd=tmp_path
    )

    assert fine(done) == "page.html\n"
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["images"], figures["pictures"], figures["mm_per_px"]) == (5, 4, 0.3)
    assert "5 images show 4 pictures" in done.stderr
    page = (tmp_path / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "made/turned" in page


def test_a_split_that_leaks_ends_with_code_1_once_the_page_is_written(
    folder: Path, tmp_path: Path
) -> None:
    names = sorted(f"made/{path.stem}" for path in (folder / "images").iterdir())
    write_split(tmp_path / "leaky.json", Split(train=tuple(names[:-1]), val=(), test=names[-1:]))

    done = run("data", "inspect", folder, "--split", "leaky.json", cwd=tmp_path)

    assert "show the same metal and lie on two sides: 1;" in refused(done, 1)
    assert "The split leaks" in (tmp_path / "inspection.html").read_text()


def test_a_split_of_the_program_does_not_leak(folder: Path, tmp_path: Path) -> None:
    fine(run("data", "split", folder, "--out", "split.json", "--test", "0.5", cwd=tmp_path))

    fine(run("data", "inspect", folder, "--split", "split.json", cwd=tmp_path))

    assert "No group lies on two sides" in (tmp_path / "inspection.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["nowhere"], "there is no such folder", 2),
        (["made", "--mm-per-px", "0"], "size of a pixel in mm", 2),
        (["made", "--split", "missing.json"], "the split cannot be read", 2),
        (["made", "--out", "no/such/page.html"], "cannot be written", 3),
    ],
)
def test_what_cannot_be_done_leaves_nothing(
    folder: Path, tmp_path: Path, arguments: list[str], said: str, code: int
) -> None:
    before = listing(tmp_path)

    assert said in refused(run("data", "inspect", *arguments, cwd=tmp_path), code)

    assert listing(tmp_path) == before


def test_a_damaged_image_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "images" / "turned.png").write_bytes(b"")

    said = refused(run("data", "inspect", folder, cwd=tmp_path), 2)

    assert "turned.png: the file is empty" in said
    assert not (tmp_path / "inspection.html").exists()
