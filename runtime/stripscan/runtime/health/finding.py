"""What the doctor says of one thing."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor.

    Attributes:
        what: What was looked at.
        verdict: Whether it is fine.
        detail: What was found.
        remedy: What to do where it is not fine; empty where ``detail`` says it.
    """

    what: str
    verdict: Verdict
    detail: str
    remedy: str = ""
