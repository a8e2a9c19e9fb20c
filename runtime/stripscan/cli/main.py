"""The ``stripscan`` program: the one place that knows the commands of all layers."""

import importlib.metadata
from typing import Annotated

import typer

from stripscan.cli.evaluate import evaluate_command
from stripscan.export.command import export
from stripscan.export.gate_command import add_gate
from stripscan.runtime.commands.bundle import bundle
from stripscan.runtime.commands.cameras import cameras
from stripscan.runtime.commands.coil import coil
from stripscan.runtime.commands.demo import demo
from stripscan.runtime.commands.doctor import doctor
from stripscan.runtime.commands.flat_field import flat_field
from stripscan.runtime.commands.inspect import inspect
from stripscan.runtime.commands.plan import plan
from stripscan.runtime.commands.predict import predict
from stripscan.runtime.commands.regrade import regrade
from stripscan.runtime.commands.report import report
from stripscan.runtime.commands.run import run
from stripscan.runtime.commands.serve import serve
from stripscan.runtime.commands.simulate import simulate
from stripscan.runtime.commands.store import store
from stripscan.runtime.commands.users import users
from stripscan.terminal.errors import guard
from stripscan.train.commands.data import data
from stripscan.train.commands.train import train
from stripscan.train.commands.train_gate import train_gate

app = typer.Typer(
    name="stripscan",
    help="Inspects flat steel while it runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data, name="data")
app.command()(train)
app.command()(train_gate)
app.command(name="eval")(evaluate_command)
app.command()(predict)
app.command()(inspect)
bundle.command(name="add-gate")(add_gate)
app.add_typer(bundle, name="bundle")
app.command()(export)
app.command()(run)
app.add_typer(coil, name="coil")
app.command()(serve)
app.add_typer(users, name="users")
app.add_typer(flat_field, name="flat-field")
app.command()(cameras)
app.command()(simulate)
app.command()(report)
app.command()(regrade)
app.add_typer(store, name="store")
app.command()(doctor)
app.command()(plan)
app.command()(demo)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"stripscan {importlib.metadata.version('stripscan')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Inspects flat steel while it runs."""


@guard
def main() -> None:
    """Run the program."""
    app()


if __name__ == "__main__":
    main()
