"""What was found on a simulated strip, held against what was planted in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stripscan.contract.defect import Defect
from stripscan.contract.rle import mask_of
from stripscan.runtime.store import Store
from stripscan.simulation.strip import PlantedDefect, SimulatedStrip

FOUND_SHARE = 0.25
"""A planted defect counts as found where defects cover this share of its pixels."""

_MM2_PER_M2 = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAcceptance:
    """How one class did.

    Attributes:
        class_name: The class.
        planted: Defects of it in the strip.
        found: Of these, how many were found, under whatever class.
        named: Of these, how many were given the right class by the record that covers most.
    """

    class_name: str
    planted: int
    found: int
    named: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """How a coil did.

    Attributes:
        classes: By class, in the order of the class names planted.
        records: Defects that were reported.
        false_alarms: Records that touch no planted defect.
        area_m2: Inspected area of the strip in m².
    """

    classes: tuple[ClassAcceptance, ...]
    records: int
    false_alarms: int
    area_m2: float

    @property
    def planted(self) -> int:
        """Planted defects of all classes."""
        return sum(c.planted for c in self.classes)

    @property
    def found(self) -> int:
        """Found defects of all classes."""
        return sum(c.found for c in self.classes)

    @property
    def found_share(self) -> float:
        """Share of the planted defects that were found, 0–1; 1 where none was planted."""
        return self.found / self.planted if self.planted else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """What covers one planted defect: share of its pixels, the main record's class, the records."""

    covered: float
    class_name: str
    records: frozenset[int]


def judge(store: Store, coil: str, strip: SimulatedStrip) -> Acceptance:
    """Compare the defects of a coil with the truth of its strip, to the pixel.

    Args:
        store: Where the coil is.
        coil: Its id.
        strip: The strip that was inspected.

    Raises:
        StoreError: The coil cannot be read.
    """
    records = store.defects(coil)
    touching: set[int] = set()
    planted, found, named = Counter[str](), Counter[str](), Counter[str]()
    for truth in strip.planted:
        match = _match(store, records, strip, truth)
        touching |= match.records
        is_found = match.covered >= FOUND_SHARE
        planted[truth.class_name] += 1
        found[truth.class_name] += is_found
        named[truth.class_name] += is_found and match.class_name == truth.class_name
    spec = strip.spec
    return Acceptance(
        classes=tuple(
            ClassAcceptance(
                class_name=name, planted=planted[name], found=found[name], named=named[name]
            )
            for name in sorted(planted)
        ),
        records=len(records),
        false_alarms=sum(record.number not in touching for record in records),
        area_m2=strip.total_lines * spec.mm_per_line * spec.strip_px * spec.mm_per_px / _MM2_PER_M2,
    )


def _match(
    store: Store, records: Sequence[Defect], strip: SimulatedStrip, truth: PlantedDefect
) -> _Match:
    first, lines = truth.first_line, truth.last_line - truth.first_line + 1
    planted = strip.render(first, lines).number == truth.number
    covered = np.zeros_like(planted)
    shared_px: dict[int, int] = {}
    class_of: dict[int, str] = {}
    for record in records:
        if record.first_line > truth.last_line or record.last_line < first:
            continue
        runs = store.runs(record.coil, record.number)
        mask = mask_of(runs, first_line=first, lines=lines, width=planted.shape[1])
        shared = planted & (mask > 0)
        if shared.any():
            shared_px[record.number] = int(shared.sum())
            class_of[record.number] = record.class_name
            covered |= shared
    main = max(shared_px, key=lambda number: shared_px[number], default=None)
    return _Match(
        covered=float(covered.sum() / planted.sum()),
        class_name="" if main is None else class_of[main],
        records=frozenset(shared_px),
    )
