"""Whether a station trusts who signed its bundle."""

import logging

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError
from stripscan.contract.keys import load_public_key
from stripscan.contract.signature import key_id_of
from stripscan.runtime.station import BundleSection

logger = logging.getLogger(__name__)


def check_signer(bundle: Bundle, section: BundleSection) -> None:
    """Check a bundle's signature as a station asks for it; log one warning where it says so.

    Raises:
        BundleError: The station requires a signature by one of its keys, and there is none.
        ConfigError: One of the keys cannot be read.
    """
    policy = section.signature_policy
    if policy == "ignore":
        return
    keys = [load_public_key(path) for path in section.trusted_keys]
    try:
        signer = bundle.signed_by(keys)
    except BundleError as error:
        if policy == "require":
            raise BundleError(f"{error}; the station requires a signature it trusts") from error
        logger.warning("%s", error)
        return
    logger.info("the bundle is signed", extra={"key_id": key_id_of(signer)})
