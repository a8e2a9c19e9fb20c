"""Where there is nothing to replace: pipes, devices and links."""

import os
import threading

import pytest

from stripscan.contract.files import atomic_write


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with atomic_write(pipe) as file:
        file.write(b"new")
    reader.join(timeout=10)
    assert read == [b"new"]
    assert pipe.is_fifo()


def test_a_full_device_is_an_os_error_and_stays_a_device(tmp_path):
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"), atomic_write(link) as file:
        file.write(b"new")
    assert link.is_char_device()


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "target"]


def test_a_folder_in_the_way_is_an_os_error(tmp_path):
    with pytest.raises(IsADirectoryError), atomic_write(tmp_path):
        pass
