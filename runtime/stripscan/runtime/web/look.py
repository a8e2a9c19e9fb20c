"""What is to be seen of a station at one moment: its own words, and the coil in the store."""

from dataclasses import dataclass
from typing import Any, Final

from stripscan.contract.defect import Defect
from stripscan.runtime.web.alarms import alarms
from stripscan.runtime.web.reading import (
    CoilView,
    Filter,
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

_CRITICAL: Final = Filter(severities=frozenset({"critical"}))


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
        self._after = 0
        self._seen = ("", 0)  # the coil, and the last of its defects
        self._pictures: dict[tuple[str, int, int], dict[str, Any] | None] = {}

    def look(self) -> Look:
        """Return what is to be seen now."""
        status = self._upstream.status()
        bands = self._upstream.strip(self._after) if status else []
        if bands:
            self._after = int(bands[-1]["number"])
        state: dict[str, Any] = {"station": status}
        view, worst = None, None
        newest: list[Defect] = []
        try:
            view = self._view(status)
            if view is not None:
                newest = self._newest(view.record.id, Filter(), FRESH)
                worst = next(iter(self._newest(view.record.id, _CRITICAL, 1)), None)
                state["coil"] = shown_view(view)
                state["latest"] = self._with_pictures(view, newest[:LATEST])
        except (UnavailableError, UnknownError) as error:
            state["store"] = str(error)
        else:
            state["store"] = ""
        seen = self._reviews.acknowledged()
        state["alarms"] = alarms(status, view, worst, seen)
        coil = view.record.id if view else ""
        bands = [band for band in bands if band.get("coil") == coil]
        return Look(state=state, bands=bands, fresh=_placed(self._fresh(coil, newest)))

    def _fresh(self, coil: str, newest: list[Defect]) -> list[Defect]:
        """Return the defects that were not seen before, from the newest."""
        before = self._seen[1] if self._seen[0] == coil else 0
        self._seen = (coil, newest[0].number if newest else before)
        return [defect for defect in newest if defect.number > before]

    def _view(self, status: dict[str, Any] | None) -> CoilView | None:
        """Return the coil that runs, or else the one that ran last."""
        running = (status or {}).get("coil")
        if isinstance(running, dict) and running.get("id"):
            return self._reader.coil(str(running["id"]))
        latest = self._reader.latest()
        return self._reader.coil(latest.id) if latest else None

    def _newest(self, coil: str, which: Filter, limit: int) -> list[Defect]:
        _, page = self._reader.page(coil, which, sort="number", falling=True, offset=0, limit=limit)
        return page

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


def _placed(defects: list[Defect]) -> dict[str, list[Any]]:
    """Return places on the coil and in the camera's image."""
    return columns(defects) | {
        "first_px": [defect.first_px for defect in defects],
        "last_px": [defect.last_px for defect in defects],
    }
