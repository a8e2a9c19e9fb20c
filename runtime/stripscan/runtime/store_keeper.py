"""Beside a line: copies coils that have ended to the plant, and keeps the store small.

The line never waits for it. A server that is away is asked again until it is back; until then the
coils stay where they are.
"""

import logging
import threading
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Final, Self

from stripscan.contract.errors import StoreError
from stripscan.runtime.station_store import StoreSection
from stripscan.runtime.store import Store
from stripscan.runtime.store_copy import copy_coil, not_copied
from stripscan.runtime.store_postgresql import require_driver, store_url
from stripscan.runtime.store_retention import Keep, Pruner

logger = logging.getLogger(__name__)

_EVERY_S: Final = 30.0
_LAST_COPY_S: Final = 20.0
"""How long the end of a run waits for its last coil to be copied; else the next run does it."""


class StoreKeeper:
    """Works in a thread of its own inside its ``with`` block, if there is anything to do.

    Args:
        section: The store, where it is copied to, and what it may hold.
        protected: Coils of which nothing may be removed yet, for other reasons than that they
            are not copied.
        every_s: Pause between two turns, in s.

    Raises:
        MissingPartError: The package that talks to the plant's server is not installed.
    """

    def __init__(
        self,
        section: StoreSection,
        *,
        protected: Callable[[], Collection[str]] = tuple,
        every_s: float = _EVERY_S,
    ) -> None:
        self._section = section
        self._keep = Keep(days=section.keep_days, gb=section.keep_gb)
        self._place = store_url(section.url).render_as_string() if section.url else None
        if section.url:
            require_driver("url in [store]")
        self._protected = protected
        self._every_s = every_s
        self._stop = threading.Event()
        self._trouble: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="store keeper", daemon=True)

    def __enter__(self) -> Self:
        if self._section.url or self._keep != Keep():
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_COPY_S)

    def _run(self) -> None:
        while True:
            self._try("copying coils to the plant", self._copy)
            if self._stop.is_set():
                return
            self._try("keeping the store small", self._prune)
            self._stop.wait(self._every_s)

    def _try(self, what: str, work: Callable[[Store], None]) -> None:
        """Do a part of the work; trouble is told once, until it changes or is over."""
        said = ""
        try:
            with Store.open(self._section.path, exclusive=False) as store:
                work(store)
        except _Stopped:
            return
        except StoreError as error:
            said = str(error)
        if said == self._trouble.get(what, ""):
            return
        self._trouble[what] = said
        if said:
            logger.warning("%s failed, and is tried again", what, extra={"reason": said})
        else:
            logger.info("%s works again", what)

    def _copy(self, store: Store) -> None:
        if self._section.url is None or self._place is None:
            return
        waiting = not_copied(store, self._place)
        if not waiting:
            return
        refused: StoreError | None = None
        with Store.open(self._section.url, exclusive=False) as plant:
            for coil in waiting:
                try:
                    copy_coil(store, plant, coil)
                except StoreError as error:  # one coil must not hold up those after it
                    refused = refused or error
        if refused:
            raise refused

    def _prune(self, store: Store) -> None:
        if self._keep == Keep():
            return
        done = Pruner(store, self._keep, protected=self._held, pause=self._pause).run()
        if done.above_gb:
            raise StoreError(
                f"{store.name} is {done.above_gb:.3g} GB above keep_gb = {self._keep.gb:g} and "
                "nothing more may be removed: its coils are running, or not delivered yet"
            )

    def _held(self) -> set[str]:
        held = set(self._protected())
        if self._place is not None:
            with Store.open(self._section.path, readonly=True) as store:
                held |= set(not_copied(store, self._place))
        return held

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopped


class _Stopped(Exception):  # noqa: N818 - it is none
    """The run ends; what is left to remove has time."""
