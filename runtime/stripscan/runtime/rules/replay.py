"""Rules over a coil of the store: what they say of it, and what would change."""

from collections.abc import Iterable
from dataclasses import dataclass

from stripscan.contract.defect import Defect
from stripscan.contract.grading import Grade, Grading, Reason
from stripscan.runtime.coil_extent import coverage_spans, known_length_m
from stripscan.runtime.rules.grade import CoilFacts
from stripscan.runtime.rules.load import Rules
from stripscan.runtime.rules.tally import CoilTally, SeverityChange
from stripscan.runtime.store import CoilRecord, Store


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
    coil, found = store.coil(coil_id), store.defects(coil_id)
    tally = CoilTally(rules.file, coil.classes)
    for defect in found:
        tally.add(defect)
    return judge_tally(store, coil, rules, tally, found)


def judge_tally(
    store: Store, coil: CoilRecord, rules: Rules, tally: CoilTally, found: Iterable[Defect] = ()
) -> Replay:
    """Judge a stored coil whose defects were counted; nothing is written.

    Args:
        store: Where the coil lies; in a transaction or a snapshot, so that all is of one moment.
        coil: The coil as it is stored.
        rules: The rules.
        tally: All defects of the coil, counted for these rules.
        found: Its defects, where the coil may not have ended: how far they reach counts then.
    """
    intervals, gradings = store.coverage(coil.id), store.gradings(coil.id)
    length_m = known_length_m(coil, intervals, found)
    facts = CoilFacts(
        status=coil.status,
        length_m=length_m,
        width_mm=tally.width_mm(coil.width_px * coil.mm_per_px),
        coverage=coverage_spans(intervals, coil, length_m),
    )
    verdict = tally.verdict(facts)
    return Replay(
        coil=coil.id,
        rules=rules,
        before=gradings[0] if gradings else None,
        grade=verdict.grade,
        reasons=verdict.reasons,
        defects=verdict.defects,
        changes=verdict.changes,
    )


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
