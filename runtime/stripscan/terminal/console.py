"""Two streams: results go to stdout, everything said about them to stderr."""

from typing import Final

from rich.console import Console
from rich.text import Text

results: Final = Console(highlight=False)
"""Tables, masks and JSON that a user pipes on."""

messages: Final = Console(stderr=True, highlight=False)
"""Progress, warnings and errors."""


def say(text: str) -> None:
    """Tell the user something, as it stands: brackets in it are no rich markup."""
    _print(Text(text))


def warn(text: str) -> None:
    """Tell the user of something that may be wrong."""
    _print(Text.assemble(("warning: ", "bold yellow"), text))


def fail(text: str) -> None:
    """Tell the user what ended the command."""
    _print(Text.assemble(("error: ", "bold red"), text))


def _print(text: Text) -> None:
    """Print without wrapping, so that a path or a command can be copied whole."""
    messages.print(text, soft_wrap=True)
