"""Who made a bundle: ``manifest.sig``, an Ed25519 signature of ``manifest.json`` beside it.

The manifest has the hash of every other file, so one signature covers the bundle. A signature
names its key by a fingerprint, which only helps to find the key: it is never trusted. The
algorithm is that of RFC 8032.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from stripscan.contract.errors import BundleError

SIGNATURE_NAME: Final = "manifest.sig"
MAX_SIGNATURE_BYTES: Final = 1024
SIGNED_PREFIX: Final = b"stripscan bundle manifest, version 1\n"
"""Stands before the manifest in what is signed, so that a signature made with the same key for
another purpose is none of a bundle."""

_KEY_ID_DIGITS: Final = 32
_BYTES: Final = 64  # RFC 8032, 5.1.6


class _SignatureFile(BaseModel):
    """``manifest.sig`` as it lies in the bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_version: Literal[1] = 1
    key_id: Annotated[str, Field(pattern=rf"^[0-9a-f]{{{_KEY_ID_DIGITS}}}$")]
    algorithm: Literal["ed25519"] = "ed25519"
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature that was read and not yet checked.

    Attributes:
        key_id: Fingerprint of the key that it says it was made with.
        value: The signature, 64 bytes.
    """

    key_id: str
    value: bytes


def key_id_of(key: Ed25519PublicKey) -> str:
    """Return the fingerprint of a key: 32 hexadecimal digits, half of its raw bytes' sha256."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:_KEY_ID_DIGITS]


def sign_manifest(raw: bytes, key: Ed25519PrivateKey) -> Signature:
    """Return the signature of the bytes of ``manifest.json``; the same each time."""
    return Signature(key_id=key_id_of(key.public_key()), value=key.sign(SIGNED_PREFIX + raw))


def check_signed(
    raw: bytes, signature: Signature | None, keys: Iterable[Ed25519PublicKey]
) -> Ed25519PublicKey:
    """Return the key that signed a manifest.

    Args:
        raw: The bytes of ``manifest.json``.
        signature: What lies beside it, None where nothing does.
        keys: The keys that are trusted.

    Raises:
        BundleError: It is not signed, or not by one of the keys. The message has no path.
    """
    if signature is None:
        raise BundleError("is not signed: sign it with 'stripscan bundle sign'")
    by_id = {key_id_of(key): key for key in keys}
    key = by_id.get(signature.key_id)
    if key is None:
        raise BundleError(
            f"names {signature.key_id} as its signer, which is no trusted key "
            f"({', '.join(by_id)}): get the public key from whom you know to have made the bundle"
        )
    try:
        key.verify(signature.value, SIGNED_PREFIX + raw)
    except InvalidSignature as error:
        raise BundleError(
            f"its signature was not made by key {signature.key_id} for this manifest: it was "
            "changed or forged; do not use it, and get the bundle again from who made it"
        ) from error
    return key


def signature_bytes(signature: Signature) -> bytes:
    """Return ``manifest.sig``: UTF-8 JSON, the same bytes for the same signature."""
    file = _SignatureFile(
        key_id=signature.key_id, signature=base64.b64encode(signature.value).decode()
    )
    return json.dumps(file.model_dump(), indent=2).encode() + b"\n"


def parse_signature(raw: bytes) -> Signature:
    """Return the signature in the bytes of ``manifest.sig``.

    Any other spelling than that of :func:`signature_bytes` is refused, so that no byte of a
    bundle can change unnoticed.

    Raises:
        BundleError: It is damaged or of a newer version. The message has no path.
    """
    try:
        file = _SignatureFile.model_validate_json(raw)
        value = base64.b64decode(file.signature, validate=True)
    except ValueError as error:  # pydantic's and binascii's errors are among them
        raise _no_signature() from error
    signature = Signature(key_id=file.key_id, value=value)
    if len(value) != _BYTES or signature_bytes(signature) != raw:
        raise _no_signature()
    return signature


def _no_signature() -> BundleError:
    return BundleError(
        f"{SIGNATURE_NAME} is no signature that this stripscan reads: copy the bundle again, or "
        "take that file out of it and sign it anew"
    )
