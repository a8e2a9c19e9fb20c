"""``stripscan train``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stripscan.contract.errors import ConfigError
from stripscan.dataset.split import read_split
from stripscan.terminal.console import messages, results, say
from stripscan.terminal.extras import needs_extra
from stripscan.terminal.logs import configure_logging
from stripscan.train.run_folder import CHECKPOINT, LoggerKind, read_config, read_record

if TYPE_CHECKING:
    from stripscan.train.checkpoint import Checkpoint
    from stripscan.train.config import TrainConfig
    from stripscan.train.machine import Machine

Precision = Literal["fp32", "bf16", "fp16"]


def train(
    recipe: Annotated[
        str | None, typer.Argument(help="Name of a recipe, e.g. strip-small.", show_default=False)
    ] = None,
    data_folder: Annotated[
        Path | None, typer.Option("--data", help="Folder with data sets.")
    ] = None,
    split_file: Annotated[
        Path | None, typer.Option("--split", help="What 'data split' wrote.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A new folder for the run.")] = Path("runs/train"),
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Train a config.json in place of a recipe.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="An option of config.json: data.batch=8.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="The recipe's if none.", min=1)] = None,
    precision: Annotated[Precision | None, typer.Option(help="The recipe's if none.")] = None,
    encoder_weights: Annotated[
        str | None, typer.Option(help="'none' trains an smp encoder from scratch.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Checkpoint to learn from, beside the labels.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Checkpoint of the same network to begin with.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The recipe's if none.")] = None,
    accelerator: Annotated[
        Literal["auto", "cpu", "gpu"], typer.Option(help="What to train on.")
    ] = "auto",
    devices: Annotated[
        str | None, typer.Option(help="GPUs a node, or 'auto' for all; one if none.")
    ] = None,
    nodes: Annotated[int | None, typer.Option(help="Computers; one if none.", min=1)] = None,
    logger: Annotated[
        list[LoggerKind] | None,
        typer.Option(help="Where the figures go besides metrics.csv."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--tune", help="Search for better options in N trials.", min=1)
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Ray cluster for the trials: an address, auto or local.")
    ] = None,
) -> None:
    """Train a recipe into a run folder."""
    with needs_extra("train", "stripscan train"):
        from stripscan.train import recipes  # noqa: PLC0415 - torch
        from stripscan.train.machine import Machine  # noqa: PLC0415
        from stripscan.train.overrides import overridden  # noqa: PLC0415

    configure_logging()
    machine = Machine(accelerator=accelerator, devices=_devices(devices), nodes=nodes)
    if resume is not None:
        fixed = (recipe, split_file, config_file, settings, epochs, precision, encoder_weights)
        if any(option is not None for option in (*fixed, teacher, start, seed, logger, trials)):
            raise ConfigError(
                "--resume goes on with the recorded recipe, split and options: with it, give only "
                "--data, if the data moved, --accelerator, --devices and --nodes"
            )
        _resume(resume, data_folder, machine)
        return
    if ray is not None and trials is None:
        raise ConfigError("--ray spreads the trials of --tune: give both")
    if data_folder is None or split_file is None:
        raise ConfigError("name what to train on: --data FOLDER --split FILE")
    config = overridden(
        recipes.adjusted(
            _base(recipe, config_file),
            epochs=epochs,
            seed=seed,
            encoder_weights=encoder_weights,
            precision=precision,
            teacher=teacher,
            start=start,
        ),
        settings or [],
    )
    if trials is not None:
        _tune(config, trials, data_folder, split_file, out, machine, ray)
    else:
        _train(config, data_folder, split_file, out, machine, logger or [])


def _base(recipe: str | None, config_file: Path | None) -> "TrainConfig":
    from stripscan.train.recipes import recipe as named  # noqa: PLC0415 - torch

    if recipe is not None and config_file is None:
        return named(recipe)
    if config_file is not None and recipe is None:
        return read_config(config_file)
    raise ConfigError("name either a recipe, e.g. strip-small, or --config FILE")


def _devices(text: str | None) -> int | Literal["auto"] | None:
    if text is None:
        return None
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--devices {text}: give a number from 1, or auto")
    return int(text)


def _train(
    config: "TrainConfig",
    data: Path,
    split: Path,
    out: Path,
    machine: "Machine",
    loggers: list[LoggerKind],
) -> None:
    from stripscan.train.trainer import train as run  # noqa: PLC0415

    with _told_how_to_resume(out):
        best = run(
            config,
            data=data,
            out=out,
            split=read_split(split),
            progress=messages.is_terminal,
            machine=machine,
            loggers=loggers,
        )
    _tell(best, out)


def _resume(out: Path, data: Path | None, machine: "Machine") -> None:
    from stripscan.train.trainer import resume as go_on  # noqa: PLC0415

    if read_record(out).finished:
        say(f"the run in {out} is finished: there is nothing to go on with")
    with _told_how_to_resume(out):
        best = go_on(out, data=data, progress=messages.is_terminal, machine=machine)
    _tell(best, out)


def _tune(
    config: "TrainConfig",
    trials: int,
    data: Path,
    split: Path,
    out: Path,
    machine: "Machine",
    ray: str | None,
) -> None:
    with needs_extra("tune", "stripscan train --tune"):
        from stripscan.train.tuning import tune  # noqa: PLC0415 - optuna

    best = tune(
        config,
        trials=trials,
        data=data,
        out=out,
        split=read_split(split),
        progress=messages.is_terminal,
        machine=machine,
        ray=ray,
    )
    say(f"best is trial {best.trial}: Dice {best.score:.3f} on validation, with")
    for name, value in best.values.items():
        say(f"  {name} = {value:.4g}")
    say(f"train with it: stripscan train --config {best.path} --data {data} --split {split}")
    results.print(str(best.path), soft_wrap=True)


@contextmanager
def _told_how_to_resume(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say(f"go on later with: stripscan train --resume {out}")
        raise


def _tell(best: "Checkpoint | None", out: Path) -> None:
    """Tell what came out; nothing in all processes but the first."""
    if best is None:
        return
    facts = best.facts
    say(f"best epoch {facts['epoch']}: Dice {facts['val_dice']:.3f} on validation")
    results.print(str(out / CHECKPOINT), soft_wrap=True)
