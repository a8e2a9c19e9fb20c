"""The time budget: what passes the camera at top speed against what this machine inspects."""

from dataclasses import dataclass
from typing import Final

from stripscan.runtime.health.finding import Finding, Verdict
from stripscan.runtime.health.pace import Pace

COMFORTABLE_MARGIN: Final = 0.5
"""Half as much again is kept for acquisition, for many defects at once and for other programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Time for one band, and the time that it needs.

    Attributes:
        pace: How fast the chain is.
        commit_ms: How long the store takes for a band, in ms.
        mm_per_line: Way of the strip from line to line.
        top_speed_m_s: Highest speed of the strip, in m/s; None if the station does not say.
    """

    pace: Pace
    commit_ms: float
    mm_per_line: float
    top_speed_m_s: float | None

    @property
    def needed_ms(self) -> float:
        """What a band takes on this machine, in ms."""
        return self.pace.band_ms + self.commit_ms

    @property
    def capacity_mpx_s(self) -> float:
        """What this machine inspects and stores, in 10⁶ pixels a second."""
        return self.pace.band_mpx / self.needed_ms * 1000

    @property
    def fastest_m_s(self) -> float:
        """The highest speed that this machine keeps up with, without a margin, in m/s."""
        return self.pace.band_lines * self.mm_per_line / self.needed_ms

    @property
    def band_ms(self) -> float | None:
        """How long a band takes to pass the camera at top speed, in ms."""
        if self.top_speed_m_s is None:
            return None
        return self.pace.band_lines * self.mm_per_line / self.top_speed_m_s

    @property
    def margin(self) -> float | None:
        """How much more than needed this machine does at top speed, as a share."""
        return None if self.band_ms is None else self.band_ms / self.needed_ms - 1


def budget_finding(budget: Budget, *, live: bool) -> Finding:
    """Return whether this machine keeps up with its line.

    Args:
        budget: What was measured.
        live: Whether the source does not wait for the inspection.
    """
    what = "time budget"
    able = (
        f"{budget.pace.band_lines} lines of {budget.pace.width_px} px need "
        f"{budget.needed_ms:.1f} ms, {budget.commit_ms:.1f} of them for the store: "
        f"{budget.capacity_mpx_s:.1f} Mpx/s, enough up to {budget.fastest_m_s:.1f} m/s"
    )
    speed_m_s, band_ms, margin = budget.top_speed_m_s, budget.band_ms, budget.margin
    if speed_m_s is None or band_ms is None or margin is None:
        return Finding(
            what=what,
            verdict="warn" if live else "ok",
            detail=able,
            remedy="say how fast the line is: top_speed_m_s = … in [camera]" if live else "",
        )
    lines_s = speed_m_s / budget.mm_per_line * 1000
    asked = (
        f"; at {speed_m_s:g} m/s {lines_s:,.0f} lines/s, "
        f"{lines_s * budget.pace.width_px / 1e6:.1f} Mpx/s, they pass in {band_ms:.1f} ms: "
        f"margin {margin:+.0%}"
    )
    verdict: Verdict = "ok" if margin >= COMFORTABLE_MARGIN else "warn" if margin >= 0 else "fail"
    return Finding(what=what, verdict=verdict, detail=able + asked, remedy=_remedy(verdict))


def _remedy(verdict: Verdict) -> str:
    if verdict == "ok":
        return ""
    wanted = f"below +{COMFORTABLE_MARGIN:.0%} a burst of defects costs strip"
    if verdict == "fail":
        wanted = "strip will pass without being inspected"
    return (
        f"{wanted}: run the model on a GPU or in int8 ([inference] engine, precision), "
        "take more mm_per_line, or part the width among machines; "
        "'stripscan plan' counts them"
    )
