import dataclasses
import json

import pytest

from stripscan.contract.errors import BundleError
from stripscan.contract.signature import (
    Signature,
    check_signed,
    key_id_of,
    parse_signature,
    sign_manifest,
    signature_bytes,
)
from unit.contract.key_samples import MILL, MILL_ID, OTHER

RAW = b'{"a manifest": 1}\n'
TRUSTED = [MILL.public_key()]


def refusal(raw: bytes, signature: Signature | None) -> str:
    with pytest.raises(BundleError) as caught:
        check_signed(raw, signature, TRUSTED)
    return str(caught.value)


def test_the_key_that_signed_is_told_among_those_that_are_trusted():
    keys = [OTHER.public_key(), MILL.public_key()]
    assert check_signed(RAW, sign_manifest(RAW, MILL), keys) == MILL.public_key()
    assert check_signed(RAW, sign_manifest(RAW, OTHER), keys) == OTHER.public_key()


def test_a_key_is_named_by_half_the_sha256_of_its_raw_bytes():
    assert key_id_of(MILL.public_key()) == MILL_ID


def test_what_is_signed_is_the_documented_prefix_and_the_manifest():
    signature = sign_manifest(RAW, MILL)
    MILL.public_key().verify(signature.value, b"stripscan bundle manifest, version 1\n" + RAW)


def test_the_file_is_as_documented_and_reads_back():
    signature = sign_manifest(RAW, MILL)
    raw = signature_bytes(signature)
    fields = json.loads(raw)
    assert list(fields) == ["schema_version", "key_id", "algorithm", "signature"]
    assert (fields["schema_version"], fields["algorithm"]) == (1, "ed25519")
    assert fields["key_id"] == MILL_ID
    assert parse_signature(raw) == signature


def test_any_change_of_any_byte_of_the_signature_file_is_noticed():
    whole = signature_bytes(sign_manifest(RAW, MILL))
    spoilt = bytearray(whole)
    for position, byte in enumerate(whole):
        for other in {*range(256)} - {byte}:
            spoilt[position] = other
            with pytest.raises(BundleError):
                check_signed(RAW, parse_signature(bytes(spoilt)), TRUSTED)
        spoilt[position] = byte


def test_a_signature_file_cut_or_continued_anywhere_is_refused():
    whole = signature_bytes(sign_manifest(RAW, MILL))
    for spoilt in [*(whole[:length] for length in range(len(whole))), whole + b"\n", whole * 2]:
        with pytest.raises(BundleError, match=r"manifest\.sig is no signature"):
            parse_signature(spoilt)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 2),
        ("algorithm", "none"),
        ("key_id", MILL_ID.upper()),
        ("signature", ""),
        ("signature", "AAAA"),
        ("signature", "ä"),
        ("comment", "hello"),
    ],
)
def test_a_signature_file_with_other_fields_is_refused(field, value):
    fields = json.loads(signature_bytes(sign_manifest(RAW, MILL))) | {field: value}
    with pytest.raises(BundleError, match=r"manifest\.sig is no signature"):
        parse_signature(json.dumps(fields, indent=2).encode() + b"\n")


def test_any_changed_byte_of_the_manifest_is_noticed():
    signature = sign_manifest(RAW, MILL)
    for position in range(len(RAW)):
        for change in range(1, 256):
            spoilt = bytearray(RAW)
            spoilt[position] ^= change
            assert "changed or forged" in refusal(bytes(spoilt), signature)


def test_no_signature_says_how_to_sign():
    assert "is not signed: sign it with 'stripscan bundle sign'" in refusal(RAW, None)


def test_a_key_that_is_not_trusted_is_named_with_those_that_are():
    said = refusal(RAW, sign_manifest(RAW, OTHER))
    assert f"names {key_id_of(OTHER.public_key())} as its signer" in said
    assert f"({MILL_ID})" in said


def test_naming_a_trusted_key_does_not_make_it_the_signer():
    spoofed = dataclasses.replace(sign_manifest(RAW, OTHER), key_id=MILL_ID)
    assert f"was not made by key {MILL_ID}" in refusal(RAW, spoofed)


def test_a_signature_of_the_same_key_for_another_purpose_is_none_of_a_bundle():
    foreign = Signature(key_id=MILL_ID, value=MILL.sign(RAW))
    assert "changed or forged" in refusal(RAW, foreign)


def test_no_key_trusts_nobody():
    with pytest.raises(BundleError, match="no trusted key"):
        check_signed(RAW, sign_manifest(RAW, MILL), [])
