"""The one place where an error becomes a message and an exit code.

docs/reference/exit-codes.md lists the codes.
"""

import errno
import functools
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Final, NoReturn

from stripscan.contract.errors import StripscanError
from stripscan.terminal.console import fail, messages, say

USAGE: Final = 2
MACHINE: Final = 3
INTERRUPTED: Final = 4
BUG: Final = 70  # EX_SOFTWARE of sysexits.h
BROKEN_PIPE: Final = 141  # 128 + SIGPIPE, what a shell reports of a program that it ends
_SHELL_INTERRUPT: Final = 130  # 128 + SIGINT, which typer makes of Ctrl-C

DEBUG_VARIABLE: Final = "STRIPSCAN_DEBUG"
"""Environment variable; any value but an empty one or ``0`` shows tracebacks."""

_USER_PATHS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_MACHINE_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
)

logger = logging.getLogger(__name__)


def guard(main: Callable[[], object]) -> Callable[[], NoReturn]:
    """Return an entry point that ends with a message and an exit code, whatever happens.

    Args:
        main: What the program does. Errors of the tree, file-system errors, Ctrl-C and a closed
            pipe become messages; anything else is called a bug, with its traceback in the log.

    Example:
        ::

            @guard
            def main() -> None:
                app()
    """

    @functools.wraps(main)
    def guarded() -> NoReturn:
        sys.exit(exit_code_of(main))

    return guarded


def exit_code_of(main: Callable[[], object]) -> int:
    """Run ``main`` and return its exit code; the message is on stderr by then."""
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = _code_of_stop(stop)
    except KeyboardInterrupt:
        code = _interrupted()
    except BrokenPipeError:
        code = _broken_pipe()
    except StripscanError as error:
        code = _failed(str(error), error.exit_code)
    except OSError as error:
        code = _failed_in_system(error)
    except Exception as error:
        code = _bug(error)
    return code


def _code_of_stop(stop: SystemExit) -> int:
    """Return the code of a SystemExit; typer and rich hide Ctrl-C and a closed pipe in one."""
    if stop.code == _SHELL_INTERRUPT:
        return _interrupted()
    if stop.code == 1 and _stems_from(stop, BrokenPipeError):
        return _broken_pipe()
    if isinstance(stop.code, str):
        return _failed(stop.code, 1)
    return stop.code or 0


def _stems_from(error: BaseException, kind: type[BaseException]) -> bool:
    """Return whether an error was raised while one of ``kind`` was handled."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, kind):
            return True
        link = link.__cause__ or link.__context__
    return False


def _interrupted() -> int:
    say("interrupted: what was finished is saved")
    return INTERRUPTED


def _broken_pipe() -> int:
    """Point stdout at nothing, or the interpreter complains once more when it flushes."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    return BROKEN_PIPE


def _failed(message: str, code: int) -> int:
    fail(message)
    if _debugging():
        messages.print_exception()
    return code


def _failed_in_system(error: OSError) -> int:
    """Return the code of a file-system error that no adapter has explained."""
    what = error.strerror or str(error)
    place = f"{error.filename}: " if error.filename is not None else ""
    if error.errno in _MACHINE_ERRNOS:
        return _failed(f"{place}{what}", MACHINE)
    if isinstance(error, _USER_PATHS):
        return _failed(f"{place}{what}", USAGE)
    return _bug(error)


def _bug(error: Exception) -> int:
    """Say that this is a bug; the traceback goes to the log, and to a file for the report."""
    if logger.hasHandlers():  # without any, logging would print the traceback to stderr
        logger.critical("unexpected error", exc_info=error)
    fail(f"this is a bug: {type(error).__name__}: {error}")
    if _debugging():
        messages.print_exception()
        return BUG
    say(f"Please report it, with the traceback {_keep(error)}")
    return BUG


def _keep(error: Exception) -> str:
    """Write the traceback to a file of its own and return where it is."""
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="stripscan-", suffix=".log", delete=False
        ) as file:
            file.write(text)
    except OSError:
        return f"that {DEBUG_VARIABLE}=1 shows"
    return f"in {file.name}"


def _debugging() -> bool:
    return os.environ.get(DEBUG_VARIABLE, "0") not in {"", "0"} or "--debug" in sys.argv[1:]
