"""Bundles that are signed: folder and zip, spoilt byte by byte, killed while being signed."""

import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stripscan.contract.bundle import Bundle, open_bundle, sign_bundle, write_bundle
from stripscan.contract.errors import BundleError
from stripscan.contract.manifest import ManifestDraft
from unit.contract.bundle_samples import FILES, FORMS, draft, entries_of, names_in, refusal
from unit.contract.key_samples import MILL, MILL_ID, OTHER

TRUSTED = [MILL.public_key()]


SMALL = {"model.onnx": bytes(range(64))}


def small_draft() -> ManifestDraft:
    """Return a short manifest, for tests that spoil each of its bytes."""
    whole = draft()
    return draft(
        classes=whole.classes[:1],
        thresholds={"crazing": 0.5},
        min_area_px={"crazing": 20},
        variants=(whole.variants[0].model_copy(update={"parity": None}),),
        evaluation=None,
        golden=(),
    )


def content_of(bundle: Bundle) -> dict[str, bytes]:
    return {name: bundle.read(name) for name in bundle.manifest.files}


def test_a_signed_bundle_is_the_same_bundle_and_names_its_signer(bundle):
    signed = sign_bundle(bundle.path, MILL)
    assert (signed.digest, signed.manifest) == (bundle.digest, bundle.manifest)
    assert content_of(signed) == FILES
    assert signed.signed_by(TRUSTED) == MILL.public_key()
    assert open_bundle(bundle.path) == signed
    assert bundle.signature is None
    assert signed.signature.key_id == MILL_ID
    assert names_in(bundle.path.parent) == [bundle.path.name]


def test_signing_again_replaces_the_signature(bundle):
    sign_bundle(bundle.path, OTHER)
    signed = sign_bundle(bundle.path, MILL)
    assert signed.signed_by(TRUSTED) == MILL.public_key()
    with pytest.raises(BundleError, match="no trusted key"):
        signed.signed_by([OTHER.public_key()])


def test_folder_and_zip_have_the_same_signature(tmp_path):
    signatures = set()
    for form in FORMS:
        write_bundle(tmp_path / form, draft(), FILES)
        signatures.add(sign_bundle(tmp_path / form, MILL).signature)
    assert len(signatures) == 1


def test_a_signed_bundle_stays_signed_in_the_other_form(tmp_path, packed):
    sign_bundle(packed, MILL)
    shutil.unpack_archive(packed, tmp_path / "unpacked")
    again = Path(shutil.make_archive(str(tmp_path / "again"), "zip", tmp_path / "unpacked"))
    for path in (tmp_path / "unpacked", again):
        assert open_bundle(path).signed_by(TRUSTED) == MILL.public_key()


@pytest.mark.parametrize("form", FORMS)
def test_a_signed_copy_leaves_the_bundle_alone(tmp_path, bundle, form):
    out = tmp_path / f"signed-{form}"
    signed = sign_bundle(bundle.path, MILL, out=out)
    assert signed.path == out
    assert out.is_dir() == (form == "neu")
    assert content_of(signed) == FILES
    assert signed.signed_by(TRUSTED)
    assert open_bundle(bundle.path) == bundle


def test_a_new_bundle_does_not_inherit_the_signature_of_the_old_one(bundle):
    sign_bundle(bundle.path, MILL)
    assert write_bundle(bundle.path, draft(), FILES).signature is None
    assert open_bundle(bundle.path).signature is None


def test_a_signed_file_is_readable_by_all(folder):
    sign_bundle(folder, MILL)
    assert stat.S_IMODE((folder / "manifest.sig").stat().st_mode) == 0o644


def test_every_changed_byte_of_every_file_of_a_folder_is_noticed(tmp_path):
    folder = write_bundle(tmp_path / "neu", small_draft(), SMALL).path
    sign_bundle(folder, MILL)
    for name in [*SMALL, "manifest.json", "manifest.sig"]:
        raw = (folder / name).read_bytes()
        for position in range(len(raw)):
            spoilt = bytearray(raw)
            spoilt[position] ^= 1 << position % 8
            (folder / name).write_bytes(spoilt)
            with pytest.raises(BundleError):
                open_bundle(folder).signed_by(TRUSTED)
        (folder / name).write_bytes(raw)
    assert open_bundle(folder).signed_by(TRUSTED)


def test_every_changed_byte_of_a_zip_is_noticed_or_changes_no_content(tmp_path):
    packed = write_bundle(tmp_path / "neu.zip", small_draft(), SMALL).path
    whole = sign_bundle(packed, MILL)
    raw = packed.read_bytes()
    for position in range(len(raw)):
        spoilt = bytearray(raw)
        spoilt[position] ^= 1 << position % 8
        packed.write_bytes(spoilt)
        try:
            opened = open_bundle(packed)
            opened.signed_by(TRUSTED)
        except BundleError:
            continue
        assert opened == whole  # a time or a version of the zip's own
        assert content_of(opened) == SMALL


def test_a_bundle_made_anew_with_another_model_is_not_signed_by_the_old_signature(folder):
    sign_bundle(folder, MILL)
    signature = (folder / "manifest.sig").read_bytes()
    write_bundle(folder, draft(), {**FILES, "model.onnx": b"another model"})
    (folder / "manifest.sig").write_bytes(signature)
    opened = open_bundle(folder)
    with pytest.raises(BundleError, match=r"neu: its signature was not made by key"):
        opened.signed_by(TRUSTED)


def test_a_signature_that_was_taken_away_is_missed(folder):
    sign_bundle(folder, MILL)
    (folder / "manifest.sig").unlink()
    with pytest.raises(BundleError, match=r"neu: is not signed"):
        open_bundle(folder).signed_by(TRUSTED)


def test_a_signature_file_of_megabytes_is_not_read(folder):
    (folder / "manifest.sig").write_bytes(bytes(10_000_000))
    assert "manifest.sig is too large" in refusal(folder)


def test_no_second_signature_file_is_let_in(folder):
    sign_bundle(folder, MILL)
    for name in ("manifest.sig.old", "golden/manifest.sig", "Manifest.sig"):
        shutil.copy(folder / "manifest.sig", folder / name)
        assert f"{name} is not in the manifest" in refusal(folder)
        (folder / name).unlink()


@pytest.mark.parametrize("name", ["manifest.sig", "Manifest.Sig", "manifest.sig/x"])
def test_no_file_may_take_the_place_of_the_signature(tmp_path, name):
    with pytest.raises(BundleError, match=r"leave it out|rename one"):
        write_bundle(tmp_path / "neu", draft(), {**FILES, name: b""})
    assert names_in(tmp_path) == []


def test_the_largest_bundle_can_be_signed_and_no_larger_one_written(tmp_path):
    folders = 2  # golden, and the bundle itself
    most = 1000 - len(FILES) - folders - 2
    files = {**FILES, **{f"x{number}": b"" for number in range(most)}}
    write_bundle(tmp_path / "neu.zip", draft(), files)
    assert sign_bundle(tmp_path / "neu.zip", MILL).signed_by(TRUSTED)
    with pytest.raises(BundleError, match="leave some out"):
        write_bundle(tmp_path / "more.zip", draft(), {**files, "y": b""})


def test_a_damaged_bundle_is_not_signed(folder):
    (folder / "model.onnx").write_bytes(bytes(256))
    with pytest.raises(BundleError, match="sha256"):
        sign_bundle(folder, MILL)
    assert not (folder / "manifest.sig").exists()


def test_a_zip_of_any_name_is_signed_as_a_zip(packed, tmp_path):
    path = packed.rename(tmp_path / "model")
    assert sign_bundle(path, MILL).signed_by(TRUSTED)
    assert zipfile.is_zipfile(path)
    assert set(entries_of(path)) == {*FILES, "manifest.json", "manifest.sig"}


def test_a_folder_behind_a_link_is_signed_where_it_is(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere/current"
    link.symlink_to(folder)
    assert sign_bundle(link, MILL).signed_by(TRUSTED)
    assert link.is_symlink()
    assert open_bundle(folder).signed_by(TRUSTED)


def test_a_folder_set_aside_by_an_interrupted_write_is_signed_there(folder):
    folder.rename(folder.with_name(".neu.previous"))
    assert sign_bundle(folder, MILL).signed_by(TRUSTED)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from unit.contract.key_samples import MILL
from stripscan.contract.bundle import sign_bundle
from stripscan.contract.errors import BundleError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    sign_bundle(Path(sys.argv[1]), MILL)
except BundleError as error:
    print(error)
"""

KILLED_AT_ANY_STEP = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from unit.contract.bundle_samples import FILES
from unit.contract.key_samples import MILL, OTHER
from unit.contract.kill_steps import killed_at_each_step
from stripscan.contract.bundle import open_bundle, sign_bundle

path = Path(sys.argv[1])
before = sign_bundle(path, OTHER)

def look():
    opened = open_bundle(path)
    assert opened.digest == before.digest
    assert {{name: opened.read(name) for name in opened.manifest.files}} == FILES
    keys = {{"old": OTHER.public_key(), "new": MILL.public_key()}}
    signer = opened.signed_by(keys.values())
    print(next(name for name, key in keys.items() if key == signer), flush=True)
    sign_bundle(path, OTHER)

killed_at_each_step(lambda: sign_bundle(path, MILL), look)
"""


def run_program(program: str, path: Path) -> str:
    text = program.format(tests=str(Path(__file__).parents[2]))
    command = [sys.executable, "-W", "error", "-c", text, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_leaves_the_bundle_as_it_was(bundle):
    said = run_program(FULL_DISK, bundle.path)
    assert "cannot be written (File too large), what was there is untouched" in said
    assert open_bundle(bundle.path) == bundle
    assert names_in(bundle.path.parent) == [bundle.path.name]


def test_killed_at_any_step_the_bundle_is_whole_with_its_old_or_its_new_signature(bundle):
    """Kill before each call that may change the disk, until a signer gets through."""
    states = run_program(KILLED_AT_ANY_STEP, bundle.path).split()
    assert states == sorted(states, reverse=True)  # the old one up to a step, then the new one
    assert set(states) == {"old", "new"}
    assert len(states) > 5
