"""A kill before each call that may change the disk; for programs that tests start."""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

CHANGES = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod"}
"""Audit events of such calls; https://docs.python.org/3/library/audit_events.html."""


def killed_at_each_step(act: Callable[[], object], look: Callable[[], object]) -> None:
    """Act in forks of this process, each killed one step later, until one gets through.

    Args:
        act: What is killed.
        look: Called after each; it looks at what is left and puts back what was there.
    """
    status, step = 1, 0
    while status:
        child = os.fork() or _act_until(act, step)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL), status
        look()
        step += 1


def _act_until(act: Callable[[], object], step: int) -> NoReturn:
    left = [step]

    def count(event: str, _arguments: tuple[object, ...]) -> None:
        if event in CHANGES:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

    sys.addaudithook(count)
    act()
    os._exit(0)
