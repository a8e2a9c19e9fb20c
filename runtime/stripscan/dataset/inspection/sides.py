"""A split, side by side: is each class on each side, and does any metal lie on two?"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import DataError
from stripscan.dataset.inspection.observe import Observation
from stripscan.dataset.inspection.twins import MAX_LISTED
from stripscan.dataset.samples import Sample
from stripscan.dataset.split import PARTS, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFigures:
    """One side of a split.

    Attributes:
        name: ``train``, ``val``, ``test``, or ``unused`` for what the split does not name.
        images: Its images.
        pictures: Distinct pictures among them.
        groups: Groups that share no metal among them.
        states: Images by state, as in ``DatasetFigures``.
        classes: Images that show a class, by class name.
        groups_of_class: Groups that show a class, by class name.
    """

    name: str
    images: int
    pictures: int
    groups: int
    states: Mapping[str, int]
    classes: Mapping[str, int]
    groups_of_class: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A group that lies on two sides or more: names of its images by side, some of them."""

    sides: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFigures:
    """A split.

    Attributes:
        digest: Of the split.
        sides: Its sides; ``unused`` only where there is something.
        leaks: How many groups lie on two sides.
        leaking: Some of them.
        changed: Images whose pixels are not those that the split was drawn from.
    """

    digest: str
    sides: tuple[SideFigures, ...]
    leaks: int
    leaking: tuple[Leak, ...]
    changed: int


class SplitTally:
    """Takes one image at a time."""

    def __init__(self, split: Split, samples: Sequence[Sample]) -> None:
        """Take a split of these samples.

        Raises:
            DataError: The split names an image that is not among them.
        """
        self._split = split
        self._side = {name: part for part in PARTS for name in getattr(split, part)}
        missing = sorted(self._side.keys() - {sample.name for sample in samples})
        if missing:
            raise DataError(
                f"the split names {len(missing)} images that are not in the data folder, "
                f"'{missing[0]}' among them; give the folder that it was drawn from"
            )
        self._sides: defaultdict[str, _Side] = defaultdict(_Side)
        self._members: defaultdict[int, defaultdict[str, list[str]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._changed = 0

    def add(self, seen: Observation, *, picture: int, group: int) -> None:
        """Count one image, given the numbers of its picture and its group."""
        name = seen.sample.name
        part = self._side.get(name, "unused")
        self._sides[part].add(seen, picture=picture, group=group)
        if part in PARTS:
            self._members[group][part].append(name)
        self._changed += self._split.pixels.get(name, seen.digest) != seen.digest

    def figures(self) -> SplitFigures:
        """Return the figures of all images so far."""
        leaking = [sides for _, sides in sorted(self._members.items()) if len(sides) > 1]
        shown = [*PARTS, "unused"] if "unused" in self._sides else [*PARTS]
        return SplitFigures(
            digest=self._split.digest,
            sides=tuple(self._sides[part].figures(part) for part in shown),
            leaks=len(leaking),
            leaking=tuple(
                Leak(sides={p: tuple(sides[p][:MAX_LISTED]) for p in PARTS if p in sides})
                for sides in leaking[:MAX_LISTED]
            ),
            changed=self._changed,
        )


class _Side:
    def __init__(self) -> None:
        self._states: Counter[str] = Counter()
        self._classes: Counter[str] = Counter()
        self._groups_of_class: defaultdict[str, set[int]] = defaultdict(set)
        self._pictures: set[int] = set()
        self._groups: set[int] = set()

    def add(self, seen: Observation, *, picture: int, group: int) -> None:
        self._states[seen.state] += 1
        self._pictures.add(picture)
        self._groups.add(group)
        for marked in seen.marked:
            name = NEU_CLASSES[marked.class_id - 1].name
            self._classes[name] += 1
            self._groups_of_class[name].add(group)

    def figures(self, name: str) -> SideFigures:
        return SideFigures(
            name=name,
            images=self._states.total(),
            pictures=len(self._pictures),
            groups=len(self._groups),
            states=dict(sorted(self._states.items())),
            classes={c.name: self._classes[c.name] for c in NEU_CLASSES},
            groups_of_class={c.name: len(self._groups_of_class[c.name]) for c in NEU_CLASSES},
        )
