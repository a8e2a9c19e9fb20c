"""``stripscan train-gate``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from stripscan.dataset.split import read_split
from stripscan.terminal.console import results, say
from stripscan.terminal.extras import needs_extra
from stripscan.terminal.logs import configure_logging

if TYPE_CHECKING:
    from stripscan.train.gate_trainer import GateFigures


def train_gate(
    checkpoint: Annotated[Path, typer.Argument(help="The segmenter: what 'train' wrote.")],
    data: Annotated[Path, typer.Option(help="Folder with data sets.")],
    split: Annotated[Path, typer.Option(help="What 'data split' wrote.")],
    out: Annotated[Path, typer.Option(help="A new folder for the run.")] = Path("runs/gate"),
    epochs: Annotated[int | None, typer.Option(help="40 if none.", min=1)] = None,
    passed: Annotated[
        float | None, typer.Option(help="Least share of defects that pass; 0.995 if none.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
) -> None:
    """Train a gate that passes on what a segmenter finds."""
    with needs_extra("train", "stripscan train-gate"):
        from stripscan.train.checkpoint import load_checkpoint  # noqa: PLC0415 - torch
        from stripscan.train.gate_net import GateConfig  # noqa: PLC0415
        from stripscan.train.gate_run import GATE  # noqa: PLC0415
        from stripscan.train.gate_run import train_gate as run  # noqa: PLC0415

    configure_logging()
    given = {"epochs": epochs, "passed": passed, "seed": seed}
    config = GateConfig.model_validate({k: v for k, v in given.items() if v is not None})
    words = ["stripscan", "train-gate", checkpoint.name, "--data", data.name]
    words += ["--split", split.name, "--epochs", str(config.epochs), "--seed", str(seed)]
    trained = run(
        load_checkpoint(checkpoint),
        config,
        data=data,
        split=read_split(split),
        out=out,
        command=shlex.join(words),
        on_step=say,
    )
    results.print(_table({"validation": trained.validation, "test": trained.test}))
    results.print(str(out / GATE), soft_wrap=True)


def _table(parts: "dict[str, GateFigures]") -> Table:
    """Return how many of the segmenter's defects pass, and how much clean metal is marked."""
    table = Table("defects that pass")
    for part in parts:
        table.add_column(part, justify="right")
    names = sorted({name for figures in parts.values() for name in figures.defects})
    for name in names:
        row = [f"{f.passed.get(name, 0)} of {f.defects.get(name, 0)}" for f in parts.values()]
        table.add_row(name, *row)
    table.add_section()
    table.add_row("all", *(f"{f.share_passed:.2%}" for f in parts.values()))
    table.add_row("clean tiles marked", *(f"{f.share_clean_marked:.2%}" for f in parts.values()))
    return table
