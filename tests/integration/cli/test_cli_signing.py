"""Making keys, signing bundles, and stations that insist on it."""

import shutil
import stat
from pathlib import Path

import pytest

from integration.cli.program import fine, listing, refused, run, simulator, station
from stripscan.contract.bundle import open_bundle, sign_bundle, write_bundle
from stripscan.contract.keys import load_private_key, load_public_key, write_key_pair
from stripscan.contract.signature import key_id_of
from stripscan.runtime.daemon import default_bundle_path
from unit.contract.bundle_samples import FILES, FORMS, draft


@pytest.fixture
def key_id(tmp_path: Path) -> str:
    """Make the pair ``mill`` and return its id."""
    return key_id_of(write_key_pair(tmp_path / "mill.key.pem", tmp_path / "mill.pub.pem"))


def sign(path: Path, key: Path) -> None:
    sign_bundle(path, load_private_key(key))


def verify(path: Path | str, folder: Path, *keys: str):
    chosen = [part for key in keys or ["mill.pub.pem"] for part in ("--key", key)]
    return run("bundle", "verify", path, *chosen, cwd=folder)


def test_keygen_makes_a_pair_once(tmp_path: Path) -> None:
    key_id = fine(run("bundle", "keygen", "mill", cwd=tmp_path)).strip()
    assert key_id == key_id_of(load_public_key(tmp_path / "mill.pub.pem"))
    assert stat.S_IMODE((tmp_path / "mill.key.pem").stat().st_mode) == 0o600
    before = listing(tmp_path)
    assert sorted(before) == ["mill.key.pem", "mill.pub.pem"]
    assert "never overwritten" in refused(run("bundle", "keygen", "mill", cwd=tmp_path), 2)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("form", FORMS)
def test_a_bundle_is_signed_and_verified(tmp_path: Path, key_id: str, form: str) -> None:
    path = write_bundle(tmp_path / form, draft(), FILES).path
    assert "is not signed: sign it with 'stripscan bundle sign'" in refused(
        verify(form, tmp_path), 1
    )
    assert fine(run("bundle", "sign", form, "--key", "mill.key.pem", cwd=tmp_path)) == f"{key_id}\n"
    done = verify(form, tmp_path)
    assert fine(done) == f"{key_id}\n"
    assert f"{form} is whole, and signed by this key" in done.stderr
    assert open_bundle(path).manifest.name == "neu-small"


def test_the_key_that_signed_is_told_among_several(tmp_path: Path, key_id: str) -> None:
    write_bundle(tmp_path / "neu.zip", draft(), FILES)
    other_id = key_id_of(write_key_pair(tmp_path / "other.key.pem", tmp_path / "other.pub.pem"))
    sign(tmp_path / "neu.zip", tmp_path / "other.key.pem")
    said = refused(verify("neu.zip", tmp_path), 1)
    assert f"names {other_id} as its signer, which is no trusted key ({key_id})" in said
    both = verify("neu.zip", tmp_path, "mill.pub.pem", "other.pub.pem")
    assert fine(both) == f"{other_id}\n"


def test_what_cannot_be_verified_at_all_is_a_usage_error(tmp_path: Path, key_id: str) -> None:
    assert key_id
    assert "gone.zip: " in refused(verify("gone.zip", tmp_path), 2)
    assert "no.pem: the key cannot be read" in refused(verify("default", tmp_path, "no.pem"), 2)
    assert run("bundle", "verify", "default", cwd=tmp_path).returncode == 2


def test_a_spoilt_model_fails_the_check(tmp_path: Path, key_id: str) -> None:
    assert key_id
    write_bundle(tmp_path / "neu", draft(), FILES)
    sign(tmp_path / "neu", tmp_path / "mill.key.pem")
    (tmp_path / "neu/model.onnx").write_bytes(bytes(256))
    assert "model.onnx has sha256" in refused(verify("neu", tmp_path), 1)


def test_a_private_key_that_others_may_read_signs_nothing(tmp_path: Path, key_id: str) -> None:
    assert key_id
    write_bundle(tmp_path / "neu", draft(), FILES)
    (tmp_path / "mill.key.pem").chmod(0o644)
    before = listing(tmp_path)
    done = run("bundle", "sign", "neu", "--key", "mill.key.pem", cwd=tmp_path)
    assert "permissions 0644 are too open" in refused(done, 2)
    assert listing(tmp_path) == before


def test_a_passphrase_comes_from_the_environment(tmp_path: Path) -> None:
    secret = {"STRIPSCAN_KEY_PASSPHRASE": "hot strip"}
    fine(run("bundle", "keygen", "mill", cwd=tmp_path, env=secret))
    write_bundle(tmp_path / "neu", draft(), FILES)
    ask = ("bundle", "sign", "neu", "--key", "mill.key.pem")
    assert "STRIPSCAN_KEY_PASSPHRASE" in refused(run(*ask, cwd=tmp_path), 2)
    fine(run(*ask, cwd=tmp_path, env=secret))
    assert open_bundle(tmp_path / "neu").signed_by([load_public_key(tmp_path / "mill.pub.pem")])


def test_the_default_bundle_is_signed_as_a_copy_only(tmp_path: Path, key_id: str) -> None:
    before = default_bundle_path().read_bytes()
    ask = ("bundle", "sign", "default", "--key", "mill.key.pem")
    assert "give --out for a copy" in refused(run(*ask, cwd=tmp_path), 2)
    fine(run(*ask, "--out", "ours.zip", cwd=tmp_path))
    assert fine(verify("ours.zip", tmp_path)) == f"{key_id}\n"
    assert open_bundle(tmp_path / "ours.zip").digest == open_bundle(default_bundle_path()).digest
    assert default_bundle_path().read_bytes() == before


def test_a_station_that_requires_a_signature_runs_with_one_only(
    tmp_path: Path, key_id: str
) -> None:
    assert key_id
    shutil.copy(default_bundle_path(), tmp_path / "ours.zip")
    file = station(tmp_path, source=simulator(length_m=0.2, defects_per_class=0), bundle="ours.zip")
    with file.open("a") as more:
        more.write('trusted_keys = ["mill.pub.pem"]\n')
    for ask in (["run", file], ["run", file, "--check"]):
        said = refused(run(*ask, cwd=tmp_path), 2)
        assert "ours.zip: is not signed" in said
        assert "the station requires" in said
    doctor = run("doctor", "--station", file, cwd=tmp_path)
    assert "station's bundle: see above" in refused(doctor, 1)
    assert not (tmp_path / "stripscan.db").exists()

    sign(tmp_path / "ours.zip", tmp_path / "mill.key.pem")
    assert fine(run("run", file, cwd=tmp_path)) == "coil-1\n"
    assert "signature: require" in fine(run("doctor", "--station", file, cwd=tmp_path))


def test_a_station_may_be_content_with_a_warning(tmp_path: Path, key_id: str) -> None:
    assert key_id
    file = station(tmp_path, source=simulator())
    with file.open("a") as more:
        more.write('signature = "warn"\ntrusted_keys = ["mill.pub.pem"]\n')
    done = run("run", file, "--check", cwd=tmp_path)
    fine(done)
    assert done.stderr.count("is not signed") == 1
    assert "level=warning" in done.stderr
