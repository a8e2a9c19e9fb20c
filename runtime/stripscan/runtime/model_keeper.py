"""The model that inspects, and the one that follows it where its bundle was replaced."""

import logging
import threading
from typing import Final

from stripscan.contract.errors import StripscanError
from stripscan.runtime.inspector import classes_of, tile_grid
from stripscan.runtime.rules.load import Rules, require_classes
from stripscan.runtime.station import Station
from stripscan.runtime.station_model import LoadedModel, load_model, station_bundle

logger = logging.getLogger(__name__)

_JOIN_S: Final = 60.0  # ending the process in the middle of the engine's own code would abort it


class ModelKeeper:
    """Holds the model of a station, and changes it between coils.

    A new bundle is opened, checked and warmed up in a thread of its own while the old one goes on.
    One that fails is not used, nor tried again before it is replaced.

    Args:
        station: The station.
        model: The model to begin with; closed in the end.
    """

    def __init__(self, station: Station, model: LoadedModel) -> None:
        self._station = station
        self._model = model
        self._next: LoadedModel | None = None
        self._refused: str | None = None
        self._thread: threading.Thread | None = None
        self.trouble = ""
        """Why the bundle that lies there is not used; empty where it is."""

    @property
    def model(self) -> LoadedModel:
        """The model that inspects."""
        return self._model

    def look(self, rules: Rules) -> None:
        """Begin to see whether the bundle was replaced, unless that is going on; returns at once.

        A station that inspects one coil has no use for another bundle.

        Args:
            rules: The rules in force, which must fit a new bundle as well.
        """
        if self.busy or self._station.coil.control == "run":
            return
        self._thread = threading.Thread(
            target=self._check, args=(rules,), name="bundle", daemon=True
        )
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a bundle is being looked at."""
        return self._thread is not None and self._thread.is_alive()

    def change(self) -> bool:
        """Take the new model if one is ready, and return whether so; no coil may be running."""
        if self.busy or self._next is None:
            return False
        before, self._model, self._next = self._model, self._next, None
        before.close()
        logger.info("bundle changed", extra={"digest": self._model.bundle.digest})
        return True

    def close(self) -> None:
        """Give back all models; one that is being built is left to the end of the process."""
        self._model.close()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
        if not self.busy and self._next is not None:
            self._next.close()

    def _check(self, rules: Rules) -> None:
        digest: str | None = None
        try:
            bundle = station_bundle(self._station)
            digest = bundle.digest
            waiting = self._next.bundle.digest if self._next else self._model.bundle.digest
            if digest == waiting:
                self.trouble = ""
                return
            if digest == self._refused:
                return
            if self._next is not None:
                self._next.close()
                self._next = None
            if digest != self._model.bundle.digest:
                require_classes(rules, classes_of(bundle.manifest))
                tile_grid(self._station, bundle.manifest, width_px=1)
                self._next = load_model(self._station, bundle)
            self.trouble = ""
        except Exception as error:  # a bug here, too, must not end the inspection
            known = isinstance(error, StripscanError)
            said = f"the new bundle is not used: {error if known else repr(error)}"
            if said != self.trouble:
                logger.error("bundle refused", extra={"reason": said})
            self.trouble, self._refused = said, digest
