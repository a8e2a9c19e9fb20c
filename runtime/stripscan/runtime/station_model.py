"""The model that a station inspects with."""

import importlib.resources
from dataclasses import dataclass
from pathlib import Path

from stripscan.contract.bundle import Bundle, open_bundle
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.choice import EngineChoice, open_engine
from stripscan.runtime.golden import require_golden
from stripscan.runtime.signer import check_signer
from stripscan.runtime.station import Station

DEFAULT_BUNDLE_FILE = "neu-strip-small.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A bundle and the engine that runs it here, warm and with the bundle's own masks."""

    bundle: Bundle
    engine: Engine

    def close(self) -> None:
        """Give back what the engine holds."""
        self.engine.close()


def default_bundle_path() -> Path:
    """Return the bundle that comes with stripscan."""
    return Path(str(importlib.resources.files("stripscan.models") / DEFAULT_BUNDLE_FILE))


def station_bundle(station: Station) -> Bundle:
    """Open the bundle that a station file names, if it trusts it.

    Raises:
        BundleError: It is missing, damaged or unsafe, or not signed by whom the station requires.
        ConfigError: A trusted key cannot be read.
    """
    bundle = open_bundle(station.bundle.folder or default_bundle_path())
    check_signer(bundle, station.bundle)
    return bundle


def station_engine(station: Station, bundle: Bundle) -> Engine:
    """Return the engine that a station file asks for; close it when done.

    Raises:
        StripscanError: See ``open_engine``.
    """
    inference = station.inference
    return open_engine(
        bundle,
        EngineChoice(
            engine=inference.engine,
            precision=inference.precision,
            threads=inference.threads,
            batch=inference.batch,
            tile_px=inference.tile_px,
            server=station.triton.server if station.triton else None,
        ),
    )


def load_model(station: Station, bundle: Bundle) -> LoadedModel:
    """Return the model once its golden frames were replayed; close it when done.

    Raises:
        StripscanError: The engine does not start, or gives other masks than the bundle.
    """
    engine = station_engine(station, bundle)
    try:
        require_golden(engine, bundle)
    except BaseException:
        engine.close()
        raise
    return LoadedModel(bundle=bundle, engine=engine)
