"""Pictures that are in the data more than once, and whether their labels agree.

The labels of all copies of a picture are brought into one orientation and compared pair by pair,
over the pixels and classes that both know: the pixels that both give the same class, divided by
those that either gives a class (intersection over union, all classes at once).
"""

import functools
import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stripscan.contract.classes import NEU_CLASSES
from stripscan.dataset.inspection.distribution import Distribution, distribution
from stripscan.dataset.inspection.observe import UNLABELLED, Bits, Observation
from stripscan.dataset.inspection.orientation import best_turn, turned

MAX_COMPARED: Final = 16
"""Copies of one picture whose labels are compared; more would take memory without end."""

MAX_LISTED: Final = 12
"""Examples of anything that are listed."""

MAX_PAIRS: Final = 8
"""Worst pairs of each problem that are listed."""

SWAPPED: Final = "swapped"
"""Problem of two labels that mostly give the pixels that both mark different classes."""

CLASSES: Final = "classes"
"""Problem of two labels of which one shows a class that the other does not."""

PIXELS: Final = "pixels"
"""Problem of two labels that show the same classes at different pixels."""

DIFFERENT_IOU: Final = 0.5
"""Below it, two labels of one picture call mostly different pixels defects."""

SWAPPED_SHARE: Final = 0.5
"""Share of the pixels that both labels mark above which other classes are a problem."""

IOU_EDGES: Final = tuple(i / 20 for i in range(21))

_ORDER = (SWAPPED, CLASSES, PIXELS)
_RANK = {"mask mask": 0, "boxes mask": 1, "boxes boxes": 2}
_ALIKE = 0.9  # least correlation of two copies in the orientation found; true copies are above .98


_Source = tuple[str, str]  # data set and kind of label


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two labels of the same picture.

    Attributes:
        first: Name of a sample.
        second: Name of the other.
        first_kind: Kind of its label.
        second_kind: Kind of the other label.
        turn: Orientation that brings the second onto the first.
        iou: Agreement, 0-1; 1 where neither shows a defect.
        first_classes: Classes that the first shows, of those that both know.
        second_classes: The same of the second.
        problem: ``SWAPPED``, ``CLASSES``, ``PIXELS``, or empty where they agree.
    """

    first: str
    second: str
    first_kind: str
    second_kind: str
    turn: int
    iou: float
    first_classes: tuple[str, ...]
    second_classes: tuple[str, ...]
    problem: str

    @property
    def kinds(self) -> str:
        """Kinds of the two labels, e.g. ``boxes mask``, in the order of the alphabet."""
        return " ".join(sorted((self.first_kind, self.second_kind)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All pairs between two sources of labels.

    Attributes:
        first: ``<data set>, <kind>``.
        second: The same of the other.
        kinds: ``mask mask``, ``boxes mask`` or ``boxes boxes``.
        pairs: Pairs of labels of the same picture.
        same: Pairs that agree in every pixel.
        different: Pairs with an IoU below ``DIFFERENT_IOU``.
        swapped: Pairs that mostly give the pixels that both mark different classes.
        other_classes: Other pairs of which one shows a class that the other does not.
        iou: Their IoU.
    """

    first: str
    second: str
    kinds: str
    pairs: int
    same: int
    different: int
    swapped: int
    other_classes: int
    iou: Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinFigures:
    """Copies and their labels.

    Attributes:
        repeated_pictures: Pictures that are there more than once.
        exact_copies: Images whose pixels another image has as well, less one of each.
        turned_copies: Further images of a picture, turned or mirrored against its first.
        upright_copies: Further images of a picture that lie as its first.
        uncompared: Further images whose label was not compared: no label, another size, no certain
            orientation, or more than ``MAX_COMPARED`` of one picture.
        agreements: Agreement of labels, by their sources.
        worst: The worst pairs of each problem and kinds of label, at most one a picture.
    """

    repeated_pictures: int
    exact_copies: int
    turned_copies: int
    upright_copies: int
    uncompared: int
    agreements: tuple[Agreement, ...]
    worst: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """One copy, its label in the orientation of the first."""

    seen: Observation
    turn: int
    label: Bits
    known: Bits


class _Worst:
    """Keeps the pairs with the lowest IoU."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Pair]] = []
        self._order = itertools.count()

    def add(self, pair: Pair) -> None:
        entry = (-pair.iou, -next(self._order), pair)
        if len(self._heap) < MAX_PAIRS:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def pairs(self) -> Iterator[Pair]:
        return (entry[2] for entry in sorted(self._heap, reverse=True))


class TwinTally:
    """Takes one picture with all its copies at a time, and keeps only figures."""

    def __init__(self) -> None:
        self._digests: Counter[str] = Counter()
        self._repeated = self._turned = self._upright = self._uncompared = 0
        self._ious: dict[tuple[_Source, ...], list[float]] = defaultdict(list)
        self._problems: defaultdict[tuple[_Source, ...], Counter[str]] = defaultdict(Counter)
        self._worst: dict[tuple[str, str], _Worst] = defaultdict(_Worst)

    def add(self, copies: Sequence[Observation], *, left_out: Sequence[str] = ()) -> None:
        """Count one picture.

        Args:
            copies: Its images, at most ``MAX_COMPARED``.
            left_out: Digests of its further images.
        """
        self._digests.update(copy.digest for copy in copies)
        self._digests.update(left_out)
        self._repeated += len(copies) + len(left_out) > 1
        self._uncompared += len(left_out)
        pairs = []
        for one, other in itertools.combinations(self._placed(copies), 2):
            pair = _compared(one, other)
            pairs.append(pair)
            key = tuple(sorted((_source(one.seen), _source(other.seen))))
            self._ious[key].append(pair.iou)
            self._problems[key][pair.problem] += 1
        self._keep_worst(pairs)

    def figures(self) -> TwinFigures:
        """Return the figures of all pictures so far."""
        worst_first = sorted(self._worst, key=lambda key: (_ORDER.index(key[0]), _RANK[key[1]]))
        return TwinFigures(
            repeated_pictures=self._repeated,
            exact_copies=self._digests.total() - len(self._digests),
            turned_copies=self._turned,
            upright_copies=self._upright,
            uncompared=self._uncompared,
            agreements=tuple(
                _agreement(key, self._ious[key], self._problems[key]) for key in sorted(self._ious)
            ),
            worst=tuple(pair for key in worst_first for pair in self._worst[key].pairs()),
        )

    def _placed(self, copies: Sequence[Observation]) -> list[_Placed]:
        """Return the copies that can be compared, in the orientation of the first."""
        first = copies[0]
        placed = []
        for copy in copies:
            turn, alike = best_turn(first.small, copy.small)
            if copy.digest == first.digest:
                turn, alike = 0, 1.0
            if copy is not first and alike >= _ALIKE:
                self._turned += turn > 0
                self._upright += turn == 0
            label = turned(copy.label, turn)
            if alike < _ALIKE or copy.state == UNLABELLED or label.shape != first.label.shape:
                self._uncompared += copy is not first
                continue
            placed.append(
                _Placed(seen=copy, turn=turn, label=label, known=turned(copy.known, turn))
            )
        return placed

    def _keep_worst(self, pairs: Sequence[Pair]) -> None:
        found: dict[tuple[str, str], list[Pair]] = defaultdict(list)
        for pair in pairs:
            if pair.problem:
                found[pair.problem, pair.kinds].append(pair)
        for key, alike in found.items():
            self._worst[key].add(min(alike, key=lambda pair: pair.iou))


def _compared(one: _Placed, other: _Placed) -> Pair:
    known = one.known & other.known
    first, second = one.label & known, other.label & known
    union = int(np.bitwise_count(first | second).sum())
    shared = int(np.bitwise_count(first & second).sum())
    both = (first != 0) & (second != 0)
    swapped = int((both & (first & second == 0)).sum())
    classes = _names(first), _names(second)
    if swapped > SWAPPED_SHARE * int(both.sum()):
        problem = SWAPPED
    elif classes[0] != classes[1]:
        problem = CLASSES
    else:
        problem = PIXELS if shared < union else ""
    return Pair(
        first=one.seen.sample.name,
        second=other.seen.sample.name,
        first_kind=str(one.seen.sample.kind),
        second_kind=str(other.seen.sample.kind),
        turn=_relative(one.turn, other.turn),
        iou=shared / union if union else 1.0,
        first_classes=classes[0],
        second_classes=classes[1],
        problem=problem,
    )


@functools.cache
def _relative(first: int, second: int) -> int:
    """Return the one turn that does ``second`` and then undoes ``first``."""
    corners = np.arange(4).reshape(2, 2)
    wanted = turned(corners, second)
    (turn,) = (t for t in range(8) if np.array_equal(turned(turned(corners, t), first), wanted))
    return turn


def _names(label: Bits) -> tuple[str, ...]:
    shown = int(np.bitwise_or.reduce(label, axis=None))
    return tuple(c.name for c in NEU_CLASSES if shown >> (c.id - 1) & 1)


def _source(seen: Observation) -> _Source:
    return seen.sample.dataset, str(seen.sample.kind)


def _agreement(
    sources: tuple[_Source, ...], ious: list[float], problems: Mapping[str, int]
) -> Agreement:
    return Agreement(
        first=", ".join(sources[0]),
        second=", ".join(sources[1]),
        kinds=" ".join(sorted(kind for _, kind in sources)),
        pairs=len(ious),
        same=sum(iou == 1 for iou in ious),
        different=sum(iou < DIFFERENT_IOU for iou in ious),
        swapped=problems.get(SWAPPED, 0),
        other_classes=problems.get(CLASSES, 0),
        iou=distribution(ious, IOU_EDGES),
    )
