"""The states of a station, and which follows which."""

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

logger = logging.getLogger(__name__)


class LineState(StrEnum):
    """What a station is doing."""

    STARTING = "starting"  # the station file is read, nothing is loaded
    WARMING = "warming"  # model and source are made ready
    READY = "ready"  # lines are taken, and no coil is there
    INSPECTING = "inspecting"
    DEGRADED = "degraded"  # at work, and something is wrong with it
    STOPPING = "stopping"  # what has arrived is finished


AT_WORK: Final = frozenset({LineState.READY, LineState.INSPECTING, LineState.DEGRADED})

TRANSITIONS: Final[Mapping[LineState, frozenset[LineState]]] = {
    LineState.STARTING: frozenset({LineState.WARMING, LineState.STOPPING}),
    LineState.WARMING: frozenset({LineState.READY, LineState.STOPPING}),
    LineState.READY: AT_WORK | {LineState.STOPPING},
    LineState.INSPECTING: AT_WORK | {LineState.STOPPING},
    LineState.DEGRADED: AT_WORK | {LineState.STOPPING},
    LineState.STOPPING: frozenset(),
}


class StateKeeper:
    """Goes from state to state, and logs each change once."""

    def __init__(self) -> None:
        self._now = (LineState.STARTING, "")

    @property
    def state(self) -> LineState:
        """The state."""
        return self._now[0]

    @property
    def reason(self) -> str:
        """Why, where there is more to say."""
        return self._now[1]

    def enter(self, state: LineState, reason: str = "") -> bool:
        """Go to a state, and return whether it or its reason is new.

        Raises:
            ValueError: It cannot follow the one before.
        """
        if (state, reason) == self._now:
            return False
        before = self.state
        if state is not before and state not in TRANSITIONS[before]:
            raise ValueError(f"a station that is {before} cannot be {state} next")
        self._now = (state, reason)
        level = logging.WARNING if state is LineState.DEGRADED else logging.INFO
        extra = {"state": str(state), "before": str(before)} | (
            {"reason": reason} if reason else {}
        )
        logger.log(level, "state", extra=extra)
        return True
