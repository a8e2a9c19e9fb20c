import os
import socket
import struct
import warnings
import zipfile

import pytest

from stripscan.contract import archive as archive_module
from stripscan.contract.bundle import open_bundle
from unit.contract.bundle_samples import FILES, entries_of, refusal


@pytest.mark.parametrize("target", ["model.onnx", "golden", "/etc/passwd"])
def test_a_link_in_a_folder_is_refused(folder, target):
    (folder / "link").symlink_to(target)
    assert "link is a link or a device" in refusal(folder)


def test_a_link_in_place_of_a_right_file_is_refused(folder, tmp_path):
    (folder / "model.onnx").rename(tmp_path / "model.onnx")
    (folder / "model.onnx").symlink_to(tmp_path / "model.onnx")
    assert "model.onnx is a link or a device" in refusal(folder)


def test_a_pipe_in_a_folder_does_not_hang(folder):
    os.mkfifo(folder / "pipe")
    assert "pipe is a link or a device" in refusal(folder)


def test_a_socket_in_a_folder_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert "socket is a link or a device" in refusal(folder)


def test_a_bundle_may_lie_behind_a_link(bundle, tmp_path):
    (tmp_path / "current").symlink_to(bundle.path)
    assert open_bundle(tmp_path / "current").digest == bundle.digest


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:evil", "a//b", "a\0b", ".hidden"]
)
def test_a_name_that_leads_elsewhere_is_refused(packed, name):
    with zipfile.ZipFile(packed, "a") as archive:
        info = zipfile.ZipInfo("x" * len(name))
        archive.writestr(info, b"x")
    raw = packed.read_bytes().replace(b"x" * len(name), name.encode())
    packed.write_bytes(raw)
    assert "no safe file name" in refusal(packed)


def test_a_link_in_a_zip_is_refused(packed):
    info = zipfile.ZipInfo("link")
    info.create_system = 3
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "link is a link or a device" in refusal(packed)


def test_a_name_twice_in_a_zip_is_refused(packed):
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("model.onnx", FILES["model.onnx"])
    assert "model.onnx occurs twice" in refusal(packed)


def test_an_encrypted_entry_is_refused(packed):
    raw = bytearray(packed.read_bytes())
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    packed.write_bytes(raw)
    assert "is encrypted" in refusal(packed)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression_is_refused(packed, method):
    files = entries_of(packed)
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert "not packed with deflate" in refusal(packed)


def test_a_bomb_is_refused_by_what_it_declares(packed):
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10_000_000))
    assert "bomb would unpack to 10000000 bytes" in refusal(packed)


def test_entries_sharing_their_bytes_are_refused_by_the_sum(tmp_path):
    """Build the kind of bomb whose entries point at the same data: each alone looks right."""
    data = bytes(range(256)) * 200
    path = tmp_path / "overlap.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("kernel", data)
        kernel = archive.getinfo("kernel")
        for number in range(300):
            twin = zipfile.ZipInfo(f"twin{number}")
            for field in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(twin, field, getattr(kernel, field))
            archive.filelist.append(twin)
    assert "would unpack to" in refusal(path)


def test_an_entry_longer_than_it_declares_yields_no_more_than_declared(packed):
    raw = bytearray(packed.read_bytes())
    entry = raw.index(b"PK\x01\x02")
    size = struct.unpack_from("<I", raw, entry + 24)[0]
    struct.pack_into("<I", raw, entry + 24, size - 1)
    packed.write_bytes(raw)
    assert "copy the bundle again" in refusal(packed)


def test_a_total_beyond_the_limit_is_refused_before_reading(bundle, monkeypatch):
    monkeypatch.setattr(archive_module, "MAX_TOTAL_BYTES", 1000)
    assert "a bundle has at most 1000" in refusal(bundle.path)


def test_too_many_entries_are_refused(packed, folder):
    with zipfile.ZipFile(packed, "a") as archive:
        for number in range(1001):
            archive.writestr(f"n{number}", b"")
    for number in range(1001):
        (folder / f"n{number}").touch()
    assert "more than 1000 files" in refusal(packed)
    assert "more than 1000 files" in refusal(folder)


def test_a_directory_of_a_million_entries_is_not_taken_into_memory(packed):
    raw = bytearray(packed.read_bytes())
    struct.pack_into("<I", raw, len(raw) - 10, 1 << 30)
    packed.write_bytes(raw)
    assert "more than 1000 files or is a zip64" in refusal(packed)
