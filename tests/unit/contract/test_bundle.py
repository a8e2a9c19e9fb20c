import hashlib
import json
import shutil
from pathlib import Path

import pytest

from stripscan.contract.bundle import open_bundle, write_bundle
from stripscan.contract.errors import BundleError
from unit.contract.bundle_samples import FILES, FORMS, draft, refusal


def test_a_bundle_opens_as_it_was_written(bundle):
    opened = open_bundle(bundle.path)
    assert opened == bundle
    assert {name: opened.read(name) for name in opened.manifest.files} == FILES
    model = opened.manifest.files["model.onnx"]
    assert model.sha256 == hashlib.sha256(FILES["model.onnx"]).hexdigest()
    assert model.size_bytes == 256


def test_folder_and_zip_have_the_same_digest(tmp_path):
    digests = {write_bundle(tmp_path / form, draft(), FILES).digest for form in FORMS}
    assert len(digests) == 1


def test_the_digest_is_that_of_the_manifest_file(folder):
    expected = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert open_bundle(folder).digest == expected


def test_the_same_bundle_gives_the_same_zip(tmp_path):
    paths = [tmp_path / "a.zip", tmp_path / "b.zip"]
    for path, files in zip(paths, [FILES, dict(reversed(FILES.items()))], strict=True):
        write_bundle(path, draft(), files)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_form_is_told_by_content_and_not_by_name(packed, folder, tmp_path):
    assert open_bundle(packed.rename(tmp_path / "model")).read("model.onnx") == FILES["model.onnx"]
    assert open_bundle(folder.rename(tmp_path / "m.zip")).read("model.onnx") == FILES["model.onnx"]


def test_an_unpacked_zip_is_a_bundle_and_a_packed_folder_too(packed, folder, tmp_path):
    shutil.unpack_archive(packed, tmp_path / "unpacked")
    again = shutil.make_archive(str(tmp_path / "again"), "zip", folder)
    digest = open_bundle(packed).digest
    assert open_bundle(tmp_path / "unpacked").digest == digest
    assert open_bundle(Path(again)).digest == digest


def test_a_zip_of_the_folder_itself_says_where_the_bundle_is(folder, tmp_path):
    again = shutil.make_archive(str(tmp_path / "again"), "zip", tmp_path, folder.name)
    assert "the bundle is in neu inside" in refusal(Path(again))


def test_files_that_shrink_like_a_bomb_can_still_be_read(tmp_path):
    files = {**FILES, "blank.bin": bytes(1_000_000), "empty.bin": b""}
    written = write_bundle(tmp_path / "neu.zip", draft(), files)
    assert written.read("blank.bin") == bytes(1_000_000)
    assert written.read("empty.bin") == b""


def test_an_opened_bundle_can_be_written_again_as_another_form(packed, tmp_path):
    opened = open_bundle(packed)
    files = {name: opened.read(name) for name in opened.manifest.files}
    assert write_bundle(tmp_path / "copy", opened.manifest, files).digest == opened.digest


def test_a_missing_file_is_named(folder):
    (folder / "golden/frame-1.png").unlink()
    assert "golden/frame-1.png is missing" in refusal(folder)


def test_a_file_too_many_is_named(folder):
    (folder / "notes.txt").write_text("hello")
    assert "notes.txt is not in the manifest: remove it" in refusal(folder)


def test_a_changed_file_tells_both_hashes(folder):
    (folder / "model.onnx").write_bytes(bytes(256))
    message = refusal(folder)
    assert f"model.onnx has sha256 {hashlib.sha256(bytes(256)).hexdigest()[:12]}…" in message
    assert f"says {hashlib.sha256(FILES['model.onnx']).hexdigest()[:12]}…" in message
    assert "copy the bundle again" in message


def test_a_shortened_file_tells_both_sizes(folder):
    (folder / "model.onnx").write_bytes(b"short")
    assert "model.onnx has 5 bytes, the manifest says 256" in refusal(folder)


def test_a_file_changed_after_opening_is_never_returned(bundle, tmp_path):
    other = write_bundle(
        tmp_path / f"other{bundle.path.suffix}", draft(), {**FILES, "model.onnx": bytes(256)}
    )
    if bundle.path.is_dir():
        shutil.rmtree(bundle.path)
    other.path.rename(bundle.path)
    assert bundle.read("golden/frame-1.png") == FILES["golden/frame-1.png"]
    with pytest.raises(BundleError, match=r"model\.onnx has sha256"):
        bundle.read("model.onnx")


def test_reading_what_the_manifest_does_not_list_is_refused(bundle):
    for name in ("manifest.json", "../secret", "gone"):
        with pytest.raises(BundleError, match="has no file"):
            bundle.read(name)


def test_a_file_removed_after_opening_is_a_bundle_error(folder):
    opened = open_bundle(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx is gone"):
        opened.read("model.onnx")


def test_what_is_no_bundle_says_so(tmp_path):
    (tmp_path / "text.zip").write_text("no zip at all")
    (tmp_path / "empty.zip").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert "No such file" in refusal(tmp_path / "gone")
    assert "neither a folder nor a zip" in refusal(tmp_path / "text.zip")
    assert "neither a folder nor a zip" in refusal(tmp_path / "empty.zip")
    assert "has no manifest.json" in refusal(tmp_path / "empty")


def test_a_zip_cut_off_anywhere_is_refused(packed):
    raw = packed.read_bytes()
    for length in range(0, len(raw), 7):
        packed.write_bytes(raw[:length])
        refusal(packed)


def test_files_cut_off_anywhere_are_refused(folder):
    for name in [*FILES, "manifest.json"]:
        raw = (folder / name).read_bytes()
        for length in range(0, len(raw), 11):
            (folder / name).write_bytes(raw[:length])
            refusal(folder)
        (folder / name).write_bytes(raw)
    open_bundle(folder)


def test_an_edited_manifest_is_refused(folder):
    path = folder / "manifest.json"
    fields = json.loads(path.read_bytes())
    fields["thresholds"]["crazing"] = 0.4
    path.write_text(json.dumps(fields, indent=2))
    assert "does not fit its own manifest_sha256" in refusal(folder)
