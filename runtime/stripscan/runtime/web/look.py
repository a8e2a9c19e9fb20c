"""What is to be seen of a station at one moment: its own words, and the coil in the store."""

from dataclasses import dataclass
from typing import Any, Final

from stripscan.contract.defect import Defect
from stripscan.runtime.web.alarms import Banner
from stripscan.runtime.web.reading import (
    CoilView,
    Reader,
    UnavailableError,
    UnknownError,
    columns,
)
from stripscan.runtime.web.reviews import Reviews
from stripscan.runtime.web.shown import shown_defect, shown_picture, shown_view
from stripscan.runtime.web.upstream import Upstream

LATEST: Final = 12
"""Defects that are shown with their pictures, the newest."""

FRESH: Final = 500
"""Defects that are added to a map at once; more come with the whole map, which pages ask for."""

_STORE_TURNS: Final = 4
"""Every so many looks the store is read: it may hold 200,000 defects of a coil."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen.

    Attributes:
        state: By name: ``station``, ``coil``, ``latest``, ``alarms``, ``store``; JSON types.
        bands: Pictures of the strip that are new.
        fresh: Places of defects that are new, in columns.
    """

    state: dict[str, Any]
    bands: list[dict[str, Any]]
    fresh: dict[str, list[Any]]


class Watch:
    """Looks at a station again and again; used by one thread at a time.

    Args:
        upstream: The station.
        reader: The store.
        reviews: Which alarms were acknowledged.
    """

    def __init__(self, upstream: Upstream, reader: Reader, reviews: Reviews) -> None:
        self._upstream = upstream
        self._reader = reader
        self._reviews = reviews
        self._banner = Banner()
        self._after = 0
        self._turn = 0
        self._coil = ""
        self._seen = ("", 0)  # the coil, and the last of its defects
        self._pictures: dict[tuple[str, int, int], dict[str, Any] | None] = {}

    def look(self) -> Look:
        """Return what is to be seen now."""
        status = self._upstream.status()
        bands = self._upstream.strip(self._after) if status else []
        if bands:
            self._after = int(bands[-1]["number"])
        running = _running(status)
        stored: dict[str, Any] = {}
        fresh: list[Defect] = []
        if self._turn % _STORE_TURNS == 0 or running != self._coil:
            self._coil = running
            stored, fresh = self._stored(status, running)
        self._turn += 1
        shown = running or self._seen[0]
        return Look(
            state={"station": status, **stored},
            bands=[band for band in bands if band.get("coil") == shown],
            fresh=_placed(fresh),
        )

    def _stored(
        self, status: dict[str, Any] | None, running: str
    ) -> tuple[dict[str, Any], list[Defect]]:
        """Return what the store tells, and the defects that were not seen before."""
        state: dict[str, Any] = {"store": ""}
        view, worst = None, None
        fresh: list[Defect] = []
        try:
            # Between coils the one before is shown on.
            coil = running or self._reader.latest()
            if coil:
                view = self._reader.coil(coil)
                newest = self._reader.newest(coil, FRESH)
                critical = self._reader.newest(coil, 1, severity="critical")
                worst = critical[0] if critical else None
                state["coil"] = shown_view(view)
                state["latest"] = self._with_pictures(view, newest[:LATEST])
                fresh = self._fresh(coil, newest)
        except (UnavailableError, UnknownError) as error:
            state["store"] = str(error)
        state["alarms"] = self._banner.alarms(status, view, worst, self._reviews.acknowledged())
        return state, fresh

    def _fresh(self, coil: str, newest: list[Defect]) -> list[Defect]:
        before = self._seen[1] if self._seen[0] == coil else 0
        self._seen = (coil, newest[0].number if newest else before)
        return [defect for defect in newest if defect.number > before]

    def _with_pictures(self, view: CoilView, defects: list[Defect]) -> list[dict[str, Any]]:
        coil, shown = view.record.id, []
        kept: dict[tuple[str, int, int], dict[str, Any] | None] = {}
        with self._reader.store() as store:
            for defect in defects:
                key = (coil, defect.number, defect.last_line)
                picture = self._pictures.get(key)
                if picture is None:
                    picture = shown_picture(store, view.record, defect.number)
                kept[key] = picture
                shown.append(shown_defect(defect) | {"picture": picture})
        self._pictures = kept
        return shown


def _running(status: dict[str, Any] | None) -> str:
    """Return the coil that runs; empty where none does."""
    coil = (status or {}).get("coil")
    return str(coil.get("id", "")) if isinstance(coil, dict) else ""


def _placed(defects: list[Defect]) -> dict[str, list[Any]]:
    """Return places on the coil and in the camera's image."""
    return columns(defects) | {
        "first_px": [defect.first_px for defect in defects],
        "last_px": [defect.last_px for defect in defects],
    }
