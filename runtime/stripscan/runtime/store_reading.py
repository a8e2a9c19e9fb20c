"""Parts of what a coil has: a page of its defects, where they lie, how many there are.

A coil may have 200,000 defects, too many to read each time somebody looks. There is no index for
it beside the primary key: a coil's defects lie together in it, and SQLite reads them in 30 ms. With
an index on the class it reads rows one by one in the index's order, which takes ten times as long.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Literal

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.dialects import postgresql

from stripscan.contract.classes import SEVERITIES
from stripscan.contract.defect import Defect
from stripscan.contract.errors import StoreError
from stripscan.runtime.store_backend import Backend
from stripscan.runtime.store_records import load_classes
from stripscan.runtime.store_rows import defect_of
from stripscan.runtime.store_tables import COIL, DEFECT

Order = Literal["number", "newest", "along", "area", "severity"]
"""By number; the newest first; from the head; the largest first; the worst, then the largest."""

OTHER: Final = 255
"""Index in a ``DefectMap`` of a class or severity that is none of its names."""

_SEVERITIES: Final = (*SEVERITIES, "ignore")  # the last by a rule alone
_FIGURES: Final = (
    *("along_start_m", "along_end_m", "across_left_mm", "across_right_mm"),
    *("area_mm2", "confidence"),
)
_BINARY_ARRAY: Final = np.dtype([("bytes", ">i4"), ("value", ">f8")])
_BINARY_ARRAY_HEAD: Final = 28  # dimensions, flags, type, then length and lower bound of both


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectMap:
    """Where the defects of a coil lie, by number; all columns have the same length.

    Attributes:
        number: Numbers, int64.
        along_start_m: Nearest to the head, in m, float64.
        along_end_m: Farthest from the head, in m, float64.
        across_left_mm: Nearest to the left edge, in mm, float64.
        across_right_mm: Farthest from the left edge, in mm, float64.
        area_mm2: Area of the mask in mm², float64.
        confidence: Mean confidence of the class, 0–1, float64.
        class_index: Index in ``classes``, uint8; ``OTHER`` where it is none of them.
        severity_index: Index in ``severities``, uint8; ``OTHER`` where it is none of them.
        classes: Names of the classes that the bundle can find.
        severities: From the worst.
    """

    number: NDArray[np.int64]
    along_start_m: NDArray[np.float64]
    along_end_m: NDArray[np.float64]
    across_left_mm: NDArray[np.float64]
    across_right_mm: NDArray[np.float64]
    area_mm2: NDArray[np.float64]
    confidence: NDArray[np.float64]
    class_index: NDArray[np.uint8]
    severity_index: NDArray[np.uint8]
    classes: tuple[str, ...]
    severities: tuple[str, ...] = _SEVERITIES


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectCount:
    """Defects of a coil of one class and severity: their number and their area in mm²."""

    class_name: str
    severity: str
    count: int
    area_mm2: float


class DefectReading:
    """What a store tells of defects without reading all of them."""

    name: str
    backend: Backend
    _all: Callable[[sa.Executable], list[dict[str, Any]]]

    def defect_page(
        self,
        coil: str,
        *,
        classes: Iterable[str] | None = None,
        severities: Iterable[str] | None = None,
        along_m: tuple[float, float] | None = None,
        min_area_mm2: float | None = None,
        order: Order = "number",
        limit: int = 100,
        after: int | None = None,
    ) -> tuple[Defect, ...]:
        """Return some of the defects of a coil.

        Args:
            coil: Its id.
            classes: Only of these classes.
            severities: Only of these severities.
            along_m: Only those that reach into this stretch: from and to, in m from the head.
            min_area_mm2: Only those of this area or more, in mm².
            order: What comes first.
            limit: How many at most.
            after: Number of the last defect of the page before this one.

        Raises:
            StoreError: The store cannot be read, or the defect ``after`` is not there any more.
        """
        own = DEFECT.c
        wanted = [own.coil == coil]
        if classes is not None:
            wanted.append(own.class_name.in_(list(classes)))
        if severities is not None:
            wanted.append(own.severity.in_(list(severities)))
        if along_m is not None:
            wanted += [own.along_end_m >= along_m[0], own.along_start_m <= along_m[1]]
        if min_area_mm2 is not None:
            wanted.append(own.area_mm2 >= min_area_mm2)
        keys = _ORDERS[order]
        found = sa.select(DEFECT).order_by(*keys).limit(limit)
        if after is not None and order == "newest":
            wanted.append(own.number < after)
        elif after is not None:
            wanted.append(sa.tuple_(*keys) > sa.tuple_(*self._keys(coil, after, keys)))
        found = found.where(*wanted)
        return tuple(defect_of(row) for row in self._all(found))

    def some_defects(self, coil: str, numbers: Iterable[int]) -> tuple[Defect, ...]:
        """Return defects of a coil in the order of their numbers; those not there are left out.

        Args:
            coil: Its id.
            numbers: At most some hundred.

        Raises:
            StoreError: The store cannot be read.
        """
        wanted = [int(number) for number in numbers]
        found = sa.select(DEFECT).where(DEFECT.c.coil == coil, DEFECT.c.number.in_(wanted))
        return tuple(defect_of(row) for row in self._all(found.order_by(DEFECT.c.number)))

    def _keys(
        self, coil: str, number: int, keys: Sequence[sa.ColumnElement[Any]]
    ) -> Iterable[sa.ColumnElement[Any]]:
        labelled = [key.label(f"key_{index}") for index, key in enumerate(keys)]
        own = DEFECT.c
        rows = self._all(sa.select(*labelled).where(own.coil == coil, own.number == number))
        if not rows:
            raise StoreError(
                f"defect {number} of coil {coil} is not in {self.name} any more: read from the "
                "first page"
            )
        return [sa.literal(value) for value in rows[0].values()]

    def defect_map(self, coil: str) -> DefectMap:
        """Return where the defects of a coil lie.

        Raises:
            StoreError: The store cannot be read.
        """
        rows = self._all(sa.select(COIL.c.classes).where(COIL.c.id == coil))
        names = tuple(c.name for c in load_classes(rows[0]["classes"])) if rows else ()
        code = DEFECT.c.number * 65536 + _index(DEFECT.c.class_name, names) * 256
        code += _index(DEFECT.c.severity, _SEVERITIES)
        with self.backend.errors():
            columns = _columns(self.backend.connection, coil, code)
        columns = columns[:, np.argsort(columns[0], kind="stable")]
        codes = columns[0].astype(np.int64)
        return DefectMap(
            number=codes >> 16,
            **dict(zip(_FIGURES, columns[1:], strict=True)),
            class_index=((codes >> 8) & 255).astype(np.uint8),
            severity_index=(codes & 255).astype(np.uint8),
            classes=names,
        )

    def counts(self, coil: str) -> tuple[DefectCount, ...]:
        """Return how many defects a coil has, by class and severity.

        Raises:
            StoreError: The store cannot be read.
        """
        by = (DEFECT.c.class_name, DEFECT.c.severity)
        count, area = sa.func.count().label("count"), sa.func.sum(DEFECT.c.area_mm2)
        found = sa.select(*by, count, area.label("area_mm2")).where(DEFECT.c.coil == coil)
        return tuple(DefectCount(**row) for row in self._all(found.group_by(*by).order_by(*by)))


def _index(column: sa.ColumnElement[str], names: Sequence[str]) -> sa.ColumnElement[int]:
    if not names:
        return sa.literal(OTHER)
    return sa.case({name: i for i, name in enumerate(names)}, value=column, else_=OTHER)


_RANK: Final = _index(DEFECT.c.severity, _SEVERITIES)
_ORDERS: Final[dict[Order, tuple[sa.ColumnElement[Any], ...]]] = {
    "number": (DEFECT.c.number,),
    "newest": (DEFECT.c.number.desc(),),  # the primary key, read backwards
    "along": (DEFECT.c.along_start_m, DEFECT.c.number),
    "area": (-DEFECT.c.area_mm2, DEFECT.c.number),
    "severity": (_RANK, -DEFECT.c.area_mm2, DEFECT.c.number),
}


def _columns(
    connection: sa.Connection, coil: str, code: sa.ColumnElement[int]
) -> NDArray[np.float64]:
    """Return ``code`` and the figures of a coil's defects, float64 ``[7, n]``, in any order.

    A million values one by one are most of the time it takes, so there are few of them: the number
    shares one with class and severity, exact in float64 for numbers below 2³⁷. For the same reason
    SQLAlchemy makes no rows of them, and PostgreSQL is asked for one array, in its binary format.
    """
    values = [sa.cast(code, sa.DOUBLE_PRECISION), *(DEFECT.c[name] for name in _FIGURES)]
    if connection.dialect.name == "sqlite":
        found = sa.select(code, *values[1:]).where(DEFECT.c.coil == coil)
        rows: Any = connection.execute(found).cursor
        return np.fromiter(chain.from_iterable(rows), np.float64).reshape(-1, len(values)).T
    packed = sa.func.array_send(sa.func.array_agg(postgresql.array(values)))
    asked = sa.select(packed).where(DEFECT.c.coil == coil).compile(connection)
    with closing(connection.connection.cursor(binary=True)) as cursor:
        cursor.execute(str(asked), asked.params)
        ((answer,),) = cursor.fetchall()
    if answer is None:
        return np.empty((len(values), 0))
    flat = np.frombuffer(answer, _BINARY_ARRAY, offset=_BINARY_ARRAY_HEAD)["value"]
    return flat.reshape(-1, len(values)).T.astype(np.float64)
