"""What somebody in the control room must see now."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from stripscan.contract.coverage import CoverageStatus
from stripscan.contract.defect import Defect
from stripscan.runtime.line_state import LineState
from stripscan.runtime.web.database import now
from stripscan.runtime.web.reading import CoilView


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One line of the banner; its words are those of the page's language.

    Attributes:
        key: Tells it from all others; who acknowledges it has seen this one and not the next.
        kind: Which text.
        level: How loud.
        values: What the text is filled with.
        seen_by: Who has acknowledged it; empty where nobody has.
    """

    key: str
    kind: Literal["unreachable", "degraded", "critical", "roll", "gap", "hold"]
    level: Literal["critical", "warning"]
    values: Mapping[str, Any] = field(default_factory=dict)
    seen_by: str = ""


class Banner:
    """Tells which alarms there are, and since when those of the station itself.

    Args:
        clock: The time, as text.
    """

    def __init__(self, clock: Callable[[], str] = now) -> None:
        self._clock = clock
        self._since: dict[str, str] = {}

    def alarms(
        self,
        status: Mapping[str, Any] | None,
        view: CoilView | None,
        worst: Defect | None,
        seen: Mapping[str, str],
    ) -> list[dict[str, Any]]:
        """Return the alarms of this moment as JSON types, the loudest first.

        Args:
            status: What the station tells; None where it does not answer.
            view: The coil that is shown, if there is one.
            worst: Its last critical defect, if there is one.
            seen: Who has acknowledged which alarm.
        """
        found = [*self._of_station(status), *(_of_coil(view, worst) if view else ())]
        found.sort(key=lambda alarm: alarm.level != "critical")
        return [asdict(alarm) | {"seen_by": seen.get(alarm.key, "")} for alarm in found]

    def _of_station(self, status: Mapping[str, Any] | None) -> Iterator[Alarm]:
        # Who has seen one outage has not seen the next: each has the time of its beginning.
        found = list(_of_station(status))
        self._since = {alarm.key: self._since.get(alarm.key) or self._clock() for alarm in found}
        for alarm in found:
            yield dataclasses.replace(alarm, key=f"{alarm.key}@{self._since[alarm.key]}")


def _of_station(status: Mapping[str, Any] | None) -> Iterator[Alarm]:
    if status is None:
        yield Alarm(key="unreachable", kind="unreachable", level="critical")
    elif status.get("state") == LineState.DEGRADED:
        reason = str(status.get("reason", ""))
        key, values = f"degraded:{reason}", {"reason": reason}
        yield Alarm(key=key, kind="degraded", level="warning", values=values)


def _of_coil(view: CoilView, worst: Defect | None) -> Iterator[Alarm]:
    coil = view.record.id
    if worst is not None:
        yield Alarm(
            key=f"critical:{coil}:{worst.number}",
            kind="critical",
            level="critical",
            values={
                "count": view.by_severity.get("critical", 0),
                "class_name": worst.class_name,
                "at_m": round(worst.along_start_m, 2),
            },
        )
    for repeat in view.repeats:
        yield Alarm(
            key=f"roll:{coil}:{repeat.number}",
            kind="roll",
            level="critical",
            values={
                "rolls": ", ".join(repeat.rolls),
                "period_mm": round(repeat.period_mm, 1),
                "first_m": round(repeat.first_m, 2),
                "prints": repeat.prints,
            },
        )
    blind = [t for t in view.totals if t.status in {CoverageStatus.DROPPED, CoverageStatus.UNKNOWN}]
    if metres := sum(t.length_m for t in blind):
        stretches = sum(span.status in {t.status for t in blind} for span in view.coverage)
        yield Alarm(
            key=f"gap:{coil}:{stretches}",
            kind="gap",
            level="warning",
            values={"metres": round(metres, 2), "stretches": stretches},
        )
    if view.grading and view.grading.grade == "hold":
        reason = view.grading.reasons[0].text if view.grading.reasons else ""
        key, values = f"hold:{coil}", {"reason": reason}
        yield Alarm(key=key, kind="hold", level="critical", values=values)
