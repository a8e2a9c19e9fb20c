import stat

import pytest

from stripscan.contract.files import atomic_write


def test_the_new_content_replaces_the_old(tmp_path):
    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_others_may_read_the_file(tmp_path):
    path = tmp_path / "report.html"
    with atomic_write(path) as file:
        file.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_an_error_keeps_the_old_content_and_leaves_nothing_behind(tmp_path, fault):
    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    with pytest.raises(fault), atomic_write(path) as file:
        file.write(b"half")
        raise fault
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_an_error_creates_no_file(tmp_path):
    with pytest.raises(ValueError, match="broken"), atomic_write(tmp_path / "new"):
        raise ValueError("broken")
    assert [p.name for p in tmp_path.iterdir()] == []


def test_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "no" / "file"):
        pass
