"""What an inference server and its stations agree on: names of models, and marks of bundles.

The name of a served model ends in the hash of its file. A station asks for that name, so a server
that has another file cannot answer, not even one that was restarted between two calls.
"""

import re
from typing import Final

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError
from stripscan.contract.manifest import Variant

BUNDLE_KEY: Final = "stripscan.bundle_sha256"
"""Parameter of a served model: the digest of its bundle."""

MODEL_KEY: Final = "stripscan.model_sha256"
"""Parameter of a served model: the sha256 of its file."""

_DIGITS: Final = 12
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def served_name(bundle: Bundle, variant: Variant) -> str:
    """Return the name under which a server serves a variant, for example ``neu-fp32-3195130fbf44``.

    Raises:
        BundleError: The bundle's name cannot be that of a folder and in a URL.
    """
    name = bundle.manifest.name
    if not _SAFE.fullmatch(name):
        raise BundleError(
            f"{bundle.path}: a server cannot serve a bundle of the name {name!r}: export it with "
            "--name and letters, digits, '.', '_' and '-' only, at most 128"
        )
    return f"{name}-{variant.precision}-{variant.sha256[:_DIGITS]}"
