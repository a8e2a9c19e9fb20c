import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from stripscan.contract.errors import ConfigError, StoreError
from stripscan.contract.keys import load_private_key, load_public_key, write_key_pair

VARIABLE = "STRIPSCAN_KEY_PASSPHRASE"


@pytest.fixture(autouse=True)
def no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    private, public = tmp_path / "mill.key.pem", tmp_path / "mill.pub.pem"
    write_key_pair(private, public)
    return private, public


def test_the_two_files_are_of_one_pair_in_the_usual_formats(pair) -> None:
    private, public = pair
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert public.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----\n")
    signature = load_private_key(private).sign(b"text")
    load_public_key(public).verify(signature, b"text")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_may_read_the_private_key(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_key_pair(tmp_path / "key", tmp_path / "pub")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "pub").stat().st_mode) == 0o644


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_private_key_that_others_may_touch_is_refused(pair, mode: int) -> None:
    private, _ = pair
    private.chmod(mode)
    with pytest.raises(ConfigError, match=f"permissions 0{mode:o} are too open") as caught:
        load_private_key(private)
    assert f"chmod 600 {private}" in str(caught.value)
    private.chmod(0o400)
    assert load_private_key(private)


@pytest.mark.parametrize("taken", ["key", "pub"])
def test_no_key_is_ever_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(ConfigError, match="never overwritten"):
        write_key_pair(tmp_path / "key", tmp_path / "pub")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {taken: "mine"}


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match="never overwritten"):
        write_key_pair(tmp_path / "key", tmp_path / "pub")
    assert not (tmp_path / "secret").exists()


def test_where_the_public_key_cannot_be_written_no_private_one_is_left(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        write_key_pair(tmp_path / "key", tmp_path / "gone/pub")
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_protects_the_private_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = tmp_path / "key", tmp_path / "pub"
    monkeypatch.setenv(VARIABLE, "Walzstraße 7")
    write_key_pair(private, public)
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in private.read_bytes()
    load_public_key(public).verify(load_private_key(private).sign(b"text"), b"text")
    monkeypatch.setenv(VARIABLE, "another")
    with pytest.raises(ConfigError, match="is not its passphrase"):
        load_private_key(private)
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(ConfigError, match="put it into the environment variable STRIPSCAN_KEY_"):
        load_private_key(private)


def test_a_passphrase_in_the_environment_does_not_stop_a_key_without_one(
    pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "of another key")
    assert load_private_key(pair[0])


def test_a_pair_given_the_wrong_way_round_says_so(pair) -> None:
    private, public = pair
    public.chmod(0o600)
    with pytest.raises(ConfigError, match="it is a public one; give the private one"):
        load_private_key(public)
    with pytest.raises(ConfigError, match="it is a private one; keep it"):
        load_public_key(private)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    key = X25519PrivateKey.generate()
    private, public = tmp_path / "key", tmp_path / "pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(ConfigError, match="is no Ed25519 key"):
        load_private_key(private)
    with pytest.raises(ConfigError, match="is no Ed25519 key"):
        load_public_key(public)


@pytest.mark.parametrize("data", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\n!\n", b"\xff" * 99])
def test_what_is_no_key_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    path.chmod(0o600)
    for load in (load_private_key, load_public_key):
        with pytest.raises(ConfigError, match=f"{path}: is no"):
            load(path)


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    for load in (load_private_key, load_public_key):
        with pytest.raises(ConfigError, match="gone: the key cannot be read: No such file"):
            load(tmp_path / "gone")
