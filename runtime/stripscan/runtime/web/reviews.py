"""What people say of what was found, and which alarms they have seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from stripscan.runtime.web.database import WebDatabase, now

Verdict = Literal["confirm", "reclass", "reject", "undo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What somebody said of a defect.

    Attributes:
        coil: Coil of the defect.
        number: Number of the defect.
        verdict: ``reject`` says that it is none.
        class_name: What it is; empty where it is rejected.
        user: Who said so.
        at: When, ISO 8601, UTC.
    """

    coil: str
    number: int
    verdict: Verdict
    class_name: str
    user: str
    at: str


class Reviews:
    """Keeps every review; the newest of a defect counts, and ``undo`` takes it back.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: WebDatabase) -> None:
        self._database = database

    def add(
        self, coil: str, number: int, verdict: Verdict, *, class_name: str, user: str
    ) -> Review:
        """Keep a review and return it."""
        review = Review(
            coil=coil,
            number=number,
            verdict=verdict,
            class_name=class_name,
            user=user,
            at=now(),
        )
        self._database.rows(
            "INSERT INTO review (coil, number, verdict, class_name, user, at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            *(coil, number, verdict, class_name, user, review.at),
        )
        return review

    def of_coil(self, coil: str) -> dict[int, Review]:
        """Return the reviews that count, by number of the defect."""
        rows = self._database.rows(
            "SELECT coil, number, verdict, class_name, user, at FROM review"
            " WHERE coil = ? ORDER BY id",
            coil,
        )
        newest = {row["number"]: Review(**dict(row)) for row in rows}
        return {n: review for n, review in sorted(newest.items()) if review.verdict != "undo"}

    def coils(self) -> tuple[str, ...]:
        """Return the coils that have reviews."""
        rows = self._database.rows("SELECT DISTINCT coil FROM review ORDER BY coil")
        return tuple(row["coil"] for row in rows)

    def acknowledge(self, alarm: str, user: str) -> None:
        """Note that somebody has seen an alarm; the first one counts."""
        self._database.rows(
            "INSERT OR IGNORE INTO acknowledgement VALUES (?, ?, ?)", alarm, user, now()
        )

    def acknowledged(self) -> Mapping[str, str]:
        """Return who has seen an alarm, by its key."""
        rows = self._database.rows("SELECT alarm, user FROM acknowledgement")
        return {row["alarm"]: row["user"] for row in rows}
