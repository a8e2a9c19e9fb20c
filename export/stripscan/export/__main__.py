"""``python -m stripscan.export``: the same as ``stripscan export``."""

import typer

from stripscan.export.command import export
from stripscan.terminal.errors import guard


@guard
def main() -> None:
    """Run the command."""
    typer.run(export)


if __name__ == "__main__":
    main()
