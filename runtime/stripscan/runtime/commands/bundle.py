"""``stripscan bundle``: who made a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from stripscan.contract.bundle import open_bundle, sign_bundle
from stripscan.contract.errors import BundleError, ConfigError, GateError
from stripscan.contract.keys import (
    PASSPHRASE_VARIABLE,
    load_private_key,
    load_public_key,
    write_key_pair,
)
from stripscan.contract.signature import key_id_of
from stripscan.runtime.commands.predict import DEFAULT, bundle_path
from stripscan.terminal.console import results, say

bundle = typer.Typer(no_args_is_help=True, help="Sign bundles and check who signed them.")

_Bundle = Annotated[str, typer.Argument(help="A bundle, or 'default'.")]


@bundle.command()
def keygen(
    name: Annotated[
        Path, typer.Argument(help="Where to: NAME.key.pem is the private key, NAME.pub.pem not.")
    ],
) -> None:
    """Make a key pair and print its id; no file is overwritten."""
    private, public = (name.with_name(f"{name.name}.{kind}.pem") for kind in ("key", "pub"))
    key = write_key_pair(private, public)
    results.print(key_id_of(key))
    say(f"{private} signs: keep it secret. {public} checks: give it to every station")


@bundle.command()
def sign(
    bundle: _Bundle,
    key: Annotated[
        Path,
        typer.Option(help=f"The private key; {PASSPHRASE_VARIABLE} holds its passphrase, if any."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write a signed copy, and leave the bundle alone.")
    ] = None,
) -> None:
    """Sign a bundle, in place of a signature that it has; print the id of the key."""
    if bundle == DEFAULT and out is None:
        raise ConfigError("the default bundle is part of the installation: give --out for a copy")
    private = load_private_key(key)
    signed = sign_bundle(bundle_path(bundle), private, out=out)
    results.print(key_id_of(private.public_key()))
    say(f"{signed.path} is signed")


@bundle.command()
def verify(
    bundle: _Bundle,
    key: Annotated[
        list[Path], typer.Option(help="A public key that is trusted; may be given several times.")
    ],
) -> None:
    """Check that a bundle is whole and signed, and print by which key; else end with 1."""
    keys = [load_public_key(file) for file in key]
    path = bundle_path(bundle)
    try:
        signer = open_bundle(path).signed_by(keys)
    except BundleError as error:
        if path.exists():
            raise GateError(str(error)) from error
        raise
    results.print(key_id_of(signer))
    say(f"{path} is whole, and signed by this key")
