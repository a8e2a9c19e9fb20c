"""What a station knows of itself while it runs, for whoever asks from another thread."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stripscan.runtime.coil_run import Progress
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.line_figures import LineFigures
from stripscan.runtime.line_state import AT_WORK, LineState, StateKeeper
from stripscan.runtime.strip_view import StripView
from stripscan.runtime.systemd import Notifier

LOSS_MEMORY_S: Final = 10.0
"""How long a station counts as degraded after it lost lines."""

HANG_S: Final = 30.0
"""A stage that takes longer hangs. Starting the model and the source may take minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoilNow:
    """The coil under the camera, and where it is."""

    plan: PlannedCoil
    progress: Progress


class Supervisor:
    """State, heart beat and figures of one station; written by the main loop alone.

    Attributes:
        figures: What was counted since the start.
        view: The strip that has just passed.
        coil: The coil under the camera, if there is one.
        bundle: Name and digest of the bundle that inspects, once it is loaded.
        rules: The rules in force, in words.
        behind: Whether the gate looks at lines alone, as the machine is slower than the line.
        trouble: What is wrong until somebody mends it; empty where nothing is.
        beats: How often the main loop has turned; who sees it stand still sees it hang.

    Args:
        clock: Seconds that only grow.
        notifier: How systemd is told; as the environment says where None.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, notifier: Notifier | None = None
    ) -> None:
        self._clock = clock
        self._notifier = notifier or Notifier()
        self.figures = LineFigures()
        self.view = StripView()
        self.coil: CoilNow | None = None
        self.bundle = ("", "")
        self.rules = ""
        self.trouble = ""
        self.behind = False
        self.beats = 0
        self._states = StateKeeper()
        self._beat = ("start", self._clock())
        self._loss_s: float | None = None

    @property
    def state(self) -> LineState:
        """The state."""
        return self._states.state

    @property
    def reason(self) -> str:
        """Why it is in this state, where there is more to say."""
        return self._states.reason

    @property
    def ready(self) -> bool:
        """Whether the model is warm, its golden frames are right and lines are taken."""
        return self.state in AT_WORK

    def enter(self, state: LineState) -> None:
        """Go to a state; it begins with the loop turning."""
        self.beat(str(state))
        self._enter(state)

    def beat(self, stage: str) -> None:
        """Tell that the main loop turns, and what it does next."""
        self._beat = (stage, self._clock())
        self.beats += 1
        if self.ready:
            self._notifier.feed_watchdog()

    def lost(self, lines: int) -> None:
        """Take note of lines that were lost just now."""
        if lines:
            self._loss_s = self._clock()

    def review(self) -> None:
        """Go to the state that fits what is known now."""
        losing = self._loss_s is not None and self._clock() - self._loss_s < LOSS_MEMORY_S
        reasons = [self.trouble] if self.trouble else []
        if self.behind:
            reasons.append("the machine is slower than the line: the gate inspects alone")
        if losing:
            reasons.append(f"lines were lost in the last {LOSS_MEMORY_S:g} s")
        if reasons:
            self._enter(LineState.DEGRADED, "; ".join(reasons))
        else:
            self._enter(LineState.INSPECTING if self.coil else LineState.READY)

    def speed_m_s(self) -> float:
        """Return the speed of the strip in m/s."""
        return self.figures.speed_m_s(time.monotonic_ns())

    def hanging(self) -> str:
        """Return which stage hangs, and for how long; empty where none does."""
        stage, since_s = self._beat
        silent_s = self._clock() - since_s
        if self.state not in AT_WORK or silent_s <= HANG_S:
            return ""
        return f"the main loop has not turned for {silent_s:.0f} s; it is at: {stage}"

    def _enter(self, state: LineState, reason: str = "") -> None:
        was_ready = self.ready
        if not self._states.enter(state, reason):
            return
        fields = {"STATUS": f"{state}: {reason}" if reason else str(state)}
        if self.ready and not was_ready:
            fields = {"READY": "1"} | fields
        elif state is LineState.STOPPING:
            fields = {"STOPPING": "1"} | fields
        self._notifier.send(**fields)
