"""``stripscan bundle add-gate``."""

from pathlib import Path
from typing import Annotated

import typer

from stripscan.contract.bundle import open_bundle
from stripscan.runtime.commands.predict import bundle_path
from stripscan.terminal.console import results, say
from stripscan.terminal.extras import needs_extra


def add_gate(
    bundle: Annotated[str, typer.Argument(help="A bundle, or 'default'.")],
    gate: Annotated[Path, typer.Argument(help="What 'stripscan train-gate' wrote.")],
    out: Annotated[
        Path, typer.Option(help="The new bundle: a folder, or one file if it ends in .zip.")
    ],
) -> None:
    """Put a gate into a copy of a bundle; the model in it stays as it is."""
    with needs_extra("export", "stripscan bundle add-gate"):
        from stripscan.export.gate import add_gate as add  # noqa: PLC0415 - torch and onnx
        from stripscan.train.gate_file import load_gate  # noqa: PLC0415

    opened = open_bundle(bundle_path(bundle))
    made = add(opened, load_gate(gate), out)
    results.print(f"{out}: {made.manifest.name}, {made.digest[:12]}")
    if opened.signature is not None:
        say("the copy is not signed: sign it with 'stripscan bundle sign'")
