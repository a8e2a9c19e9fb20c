"""Two key pairs that are the same in every run: RFC 8032, 7.1, tests 1 and 2."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MILL = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
OTHER = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
)
MILL_ID = "21fe31dfa154a261626bf854046fd227"
"""Of the RFC's public key d75a9801…, from ``xxd -r -p | sha256sum``."""
