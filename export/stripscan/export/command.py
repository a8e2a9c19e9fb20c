"""``stripscan export``."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from stripscan.contract.errors import ConfigError
from stripscan.terminal.console import results, say
from stripscan.terminal.extras import needs_extra

TARGETS = ("onnx",)


def export(
    checkpoint: Annotated[Path, typer.Argument(help="What 'stripscan train' wrote.")],
    out: Annotated[
        Path, typer.Option(help="The bundle: a folder, or one file if it ends in .zip.")
    ],
    to: Annotated[str, typer.Option(help=f"Targets: {', '.join(TARGETS)}.")] = "onnx",
    data: Annotated[
        Path | None, typer.Option(help="Folder with data sets, to check and score on.")
    ] = None,
    split: Annotated[Path | None, typer.Option(help="Split file; its test part is scored.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the bundle; the recipe's if none.")
    ] = None,
) -> None:
    """Turn a checkpoint into a verified bundle."""
    unknown = [target for target in to.split(",") if target not in TARGETS]
    if unknown:
        raise ConfigError(f"--to {unknown[0]}: unknown target; choose from {', '.join(TARGETS)}")
    if (data is None) != (split is None):
        raise ConfigError("--data and --split go together: the split says which images are test")
    with needs_extra("export", "stripscan export"):
        from stripscan.dataset.split import read_split  # noqa: PLC0415 - extras load on demand
        from stripscan.export.build import TestData, build_bundle  # noqa: PLC0415
        from stripscan.train.checkpoint import load_checkpoint  # noqa: PLC0415

    loaded = load_checkpoint(checkpoint)
    test = TestData(folder=data, split=read_split(split)) if data and split else None
    bundle = build_bundle(
        loaded,
        out,
        name=name or loaded.config.recipe,
        data=test,
        command=_command(checkpoint, data, split),
    )
    parity = bundle.manifest.variants[0].parity
    if parity:
        say(
            f"parity on {parity.tiles} tiles: masks agree on {parity.mask_agreement:.4%} of the "
            f"pixels, logits within {parity.max_abs_logit_error:.2g}"
        )
    results.print(f"{out}: {bundle.manifest.name}, {bundle.digest[:12]}")


def _command(checkpoint: Path, data: Path | None, split: Path | None) -> str:
    """Return the command for the record, without the folders of the machine it ran on."""
    words = ["stripscan", "export", checkpoint.name]
    if data and split:
        words += ["--data", data.name, "--split", split.name]
    return shlex.join(words)
