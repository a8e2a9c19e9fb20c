from pathlib import Path

import cv2
import numpy as np
import pytest

from stripscan.contract.block import BlockStatus, LineRange
from stripscan.contract.errors import ConfigError, DataError
from stripscan.runtime.sources.folder import FolderFrames
from stripscan.runtime.station import CameraSection
from stripscan.runtime.station_sources import FolderSource

CAMERA = CameraSection(mm_per_px=0.5, mm_per_line=0.25)


def save(path: Path, grey: int, *, lines: int = 8, width: int = 16) -> None:
    assert cv2.imwrite(str(path), np.full((lines, width), grey, np.uint8))


def frames(folder: Path, **options: str) -> FolderFrames:
    section = FolderSource.model_validate({"kind": "folder", "path": folder, **options})
    return FolderFrames(section, CAMERA)


def test_files_are_taken_as_a_person_would_count_them(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        save(tmp_path / f"img{number}.png", number)
    (tmp_path / "notes.txt").write_text("shift 2")
    with frames(tmp_path) as source:
        assert [int(b.pixels[0, 0]) for b in source.blocks()] == [1, 2, 10]


def test_a_pattern_chooses(tmp_path: Path) -> None:
    save(tmp_path / "top_1.png", 1)
    save(tmp_path / "bottom_1.png", 2)
    with frames(tmp_path, pattern="bottom_*") as source:
        assert [int(b.pixels[0, 0]) for b in source.blocks()] == [2]


def test_an_unreadable_image_becomes_as_many_lost_lines_as_the_one_before(tmp_path: Path) -> None:
    save(tmp_path / "1.png", 1, lines=6)
    (tmp_path / "2.png").write_bytes(b"\x89PNG torn")
    save(tmp_path / "3.png", 3)
    with frames(tmp_path) as source:
        before, torn, after = source.blocks()
    assert torn.status is BlockStatus.LOST_LINES
    assert torn.lines == LineRange(start=6, stop=12)
    assert torn.lost == (torn.lines,)
    assert torn.pixels.shape == before.pixels.shape
    assert (after.status, after.first_line) == (BlockStatus.COMPLETE, 12)


def test_an_unreadable_image_stops_the_run_where_that_is_asked(tmp_path: Path) -> None:
    save(tmp_path / "1.png", 1)
    (tmp_path / "2.png").write_bytes(b"torn")
    with (
        frames(tmp_path, on_bad_image="stop") as source,
        pytest.raises(DataError, match=r"2\.png"),
    ):
        list(source.blocks())


def test_the_first_image_must_be_readable(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"torn")
    save(tmp_path / "2.png", 1)
    with pytest.raises(DataError, match=r"1\.png"), frames(tmp_path):
        pass


def test_another_width_names_both_files(tmp_path: Path) -> None:
    save(tmp_path / "1.png", 1)
    save(tmp_path / "2.png", 2, width=17)
    with (
        frames(tmp_path) as source,
        pytest.raises(DataError, match=r"2\.png is 17 px wide and .*1\.png 16 px"),
    ):
        list(source.blocks())


def test_a_short_last_image_is_partial(tmp_path: Path) -> None:
    save(tmp_path / "1.png", 1)
    save(tmp_path / "2.png", 2, lines=3)
    with frames(tmp_path) as source:
        status = [b.status for b in source.blocks()]
    assert status == [BlockStatus.COMPLETE, BlockStatus.PARTIAL]


def test_an_empty_or_missing_folder_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no image in .* fits pattern '\*'"), frames(tmp_path):
        pass
    with pytest.raises(DataError, match=r"no such folder: .*gone"), frames(tmp_path / "gone"):
        pass


def test_a_pattern_that_is_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"source\.pattern"), frames(tmp_path, pattern="/a/*"):
        pass
