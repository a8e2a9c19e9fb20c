"""Key files: PEM, PKCS 8 for the private key and SubjectPublicKeyInfo for the public one."""

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from stripscan.contract.errors import ConfigError, StoreError

PASSPHRASE_VARIABLE: Final = "STRIPSCAN_KEY_PASSPHRASE"  # noqa: S105 - only its name
"""Environment variable with the passphrase of the private key; empty is as good as not set."""

_MAX_BYTES: Final = 1 << 16
_ENCRYPTED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_NOT_ED25519: Final = "is no Ed25519 key: make one with 'stripscan bundle keygen'"
_OURS: Final = "give a file that 'stripscan bundle keygen' wrote"
_OTHER_OF_PAIR: Final = "it is a public one; give the private one of the pair"
_KEEP_PRIVATE: Final = "it is a private one; keep it where bundles are signed, and give the public"


def write_key_pair(private: Path, public: Path) -> Ed25519PublicKey:
    """Make a key pair; the private file is for its owner's eyes only.

    It is encrypted where ``STRIPSCAN_KEY_PASSPHRASE`` is set.

    Raises:
        ConfigError: One of the files is there already; neither is written.
        StoreError: One cannot be written; neither is left.
    """
    for path in (private, public):
        if os.path.lexists(path):
            raise _taken(path)
    key = Ed25519PrivateKey.generate()
    passphrase = _passphrase()
    encryption: KeySerializationEncryption = (
        BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    _write_new(private, pem, 0o600)
    try:
        _write_new(public, public_pem(key.public_key()), 0o644)
    except BaseException:
        private.unlink(missing_ok=True)
        raise
    return key.public_key()


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return a public key as it is written to a file."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        ConfigError: It cannot be read, is no Ed25519 key, may be read by others than its owner,
            or ``STRIPSCAN_KEY_PASSPHRASE`` does not hold its passphrase.
    """
    data = _read(path, private=True)
    passphrase = _passphrase() if _ENCRYPTED in data else None
    if _ENCRYPTED in data and not passphrase:
        raise ConfigError(
            f"{path}: has a passphrase: put it into the environment variable {PASSPHRASE_VARIABLE}"
        )
    try:
        key = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if passphrase:
            raise ConfigError(
                f"{path}: is damaged, or {PASSPHRASE_VARIABLE} is not its passphrase"
            ) from error
        hint = _OTHER_OF_PAIR if b"PUBLIC KEY" in data else _OURS
        raise ConfigError(f"{path}: is no private key in PKCS 8 PEM: {hint}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: {_NOT_ED25519}")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        ConfigError: It cannot be read, or is no Ed25519 public key.
    """
    data = _read(path, private=False)
    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        hint = _KEEP_PRIVATE if b"PRIVATE KEY" in data else _OURS
        raise ConfigError(f"{path}: is no public key in PEM: {hint}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path}: {_NOT_ED25519}")
    return key


def _passphrase() -> bytes | None:
    return os.environb.get(PASSPHRASE_VARIABLE.encode()) or None


def _read(path: Path, *, private: bool) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(_MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read: {error.strerror}") from error
    if private and mode & 0o077:
        raise ConfigError(
            f"{path}: permissions {mode:04o} are too open: a private key must not be accessible "
            f"by others; it is not used. Run: chmod 600 {path}"
        )
    return data


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is not there yet, with these permissions from its first moment."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
        raise


def _taken(path: Path) -> ConfigError:
    return ConfigError(
        f"{path}: is there already, and a key is never overwritten: name another, or move it away"
    )
