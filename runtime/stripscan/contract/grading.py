"""What a coil was found good for, by which rules and why."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal["accept", "downgrade", "hold"]
"""From the best to the worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One step on the way to a grade.

    Attributes:
        rule: Name of the rule that decided; none where no rule of the file did.
        verdict: What it decided: a grade of the coil, or a severity of defects.
        text: By which figures, in words with units.
    """

    rule: str | None
    verdict: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """One judgement of a coil; a coil may have several, and the newest counts.

    Attributes:
        coil: The coil.
        graded_at: ISO 8601, UTC.
        rules_name: Name of the rules.
        rules_version: Their version, as the mill writes it.
        rules_sha256: SHA-256 of ``rules_text`` in UTF-8, 64 hexadecimal digits.
        rules_text: The whole rules file.
        grade: The grade.
        reasons: What decided the grade first, then how many defects each severity rule decided.
    """

    coil: str
    graded_at: str
    rules_name: str
    rules_version: str
    rules_sha256: str
    rules_text: str
    grade: Grade
    reasons: tuple[Reason, ...]
