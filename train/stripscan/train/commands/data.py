"""``stripscan data``: what is done to data sets before and beside training."""

import typer

from stripscan.train.commands.inspect import inspect
from stripscan.train.commands.prepare import prepare
from stripscan.train.commands.split import split

data = typer.Typer(no_args_is_help=True, help="Look at data sets and divide them.")
data.command()(inspect)
data.command()(prepare)
data.command()(split)
