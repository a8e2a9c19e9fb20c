"""Rules over a coil of the store: what they say of it, and what would change."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from stripscan.contract.defect import Defect
from stripscan.contract.grading import Grade, Grading, Reason
from stripscan.runtime.coil_extent import coverage_spans, known_length_m, strip_width_mm
from stripscan.runtime.rules.grade import CoilFacts, grade_coil
from stripscan.runtime.rules.judge import SeverityJudge
from stripscan.runtime.rules.load import Rules
from stripscan.runtime.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityChange:
    """A defect that is another severity by these rules.

    Attributes:
        before: Severity in the store.
        defect: The defect as these rules have it.
        rule: The rule that decided; none where the class did.
        why: By which figures.
    """

    before: str
    defect: Defect
    rule: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What rules say of a coil.

    Attributes:
        coil: Id of the coil.
        rules: The rules.
        before: The judgement that counted until now.
        grade: The grade by these rules.
        reasons: What decided it, then how many defects each severity rule decided.
        defects: How many the coil has.
        changes: Those whose severity changes, by number.
    """

    coil: str
    rules: Rules
    before: Grading | None
    grade: Grade
    reasons: tuple[Reason, ...]
    defects: int
    changes: tuple[SeverityChange, ...]

    @property
    def news(self) -> bool:
        """Whether there is anything to store."""
        before = self.before
        return (
            before is None
            or bool(self.changes)
            or (before.grade, before.reasons, before.rules_sha256)
            != (self.grade, self.reasons, self.rules.sha256)
        )


def replay(store: Store, coil_id: str, rules: Rules) -> Replay:
    """Judge a stored coil by rules; nothing is written.

    Args:
        store: Where the coil lies; in a transaction or a snapshot, so that all is of one moment.
        coil_id: Its id.
        rules: The rules.

    Raises:
        StoreError: No such coil, or the store cannot be read.
    """
    coil, found, intervals = store.coil(coil_id), store.defects(coil_id), store.coverage(coil_id)
    gradings = store.gradings(coil_id)
    length_m = known_length_m(coil, intervals, found)
    facts = CoilFacts(
        status=coil.status,
        length_m=length_m,
        width_mm=strip_width_mm(coil, found),
        coverage=coverage_spans(intervals, coil, length_m),
    )
    judge = SeverityJudge(rules.file, coil.classes)
    judged: list[Defect] = []
    changes: list[SeverityChange] = []
    by_rule: Counter[str] = Counter()
    for defect in found:
        rule = judge.rule_of(defect, tail_m=facts.tail_m)
        judged.append(judge.judged(defect, rule))
        by_rule.update([rule.name] if rule else [])
        if judged[-1].severity != defect.severity:
            change = SeverityChange(
                before=defect.severity,
                defect=judged[-1],
                rule=rule.name if rule else None,
                why=judge.why(defect, rule),
            )
            changes.append(change)
    grade, reasons = grade_coil(rules.file, facts, judged)
    return Replay(
        coil=coil_id,
        rules=rules,
        before=gradings[0] if gradings else None,
        grade=grade,
        reasons=(*reasons, *_tallies(rules, by_rule)),
        defects=len(found),
        changes=tuple(changes),
    )


def _tallies(rules: Rules, by_rule: Counter[str]) -> Iterator[Reason]:
    for rule in rules.file.severity:
        if count := by_rule[rule.name]:
            noun = "defect" if count == 1 else "defects"
            yield Reason(rule=rule.name, verdict=rule.severity, text=f"{count} {noun}")


def keep(store: Store, judged: Replay, *, graded_at: str) -> None:
    """Store the severities and the grade of a replay, in the transaction that it was read in.

    A judgement that is the same by the same rules is not stored again.

    Args:
        store: Where the coil lies, in a transaction.
        judged: What rules say of it.
        graded_at: ISO 8601, UTC.

    Raises:
        StoreError: The store cannot be written.
    """
    if not judged.news:
        return
    for change in judged.changes:
        store.put_defect(change.defect)
    file = judged.rules.file
    store.put_grading(
        Grading(
            coil=judged.coil,
            graded_at=graded_at,
            rules_name=file.name,
            rules_version=file.version,
            rules_sha256=judged.rules.sha256,
            rules_text=judged.rules.text,
            grade=judged.grade,
            reasons=judged.reasons,
        )
    )
