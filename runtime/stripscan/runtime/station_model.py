"""The model that a station inspects with."""

import importlib.resources
from dataclasses import dataclass
from pathlib import Path

from stripscan.contract.bundle import Bundle, open_bundle
from stripscan.contract.errors import BundleError
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.choice import EngineChoice, open_engine
from stripscan.runtime.gate import Gate, OnnxGate
from stripscan.runtime.golden import require_gate_golden, require_golden
from stripscan.runtime.inspector import tile_px_of
from stripscan.runtime.signer import check_signer
from stripscan.runtime.station import Station

DEFAULT_BUNDLE_FILE = "neu-strip-small.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A bundle and what runs it here, warm and with the bundle's own masks and marks.

    Attributes:
        bundle: The bundle.
        engine: Runs the model.
        gate: Runs the gate, where the station needs it.
    """

    bundle: Bundle
    engine: Engine
    gate: Gate | None = None

    def close(self) -> None:
        """Give back what engine and gate hold."""
        self.engine.close()
        if self.gate is not None:
            self.gate.close()


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
            tile_px=tile_px_of(station, bundle.manifest) if inference.gate else inference.tile_px,
            server=station.triton.server if station.triton else None,
        ),
    )


def load_model(station: Station, bundle: Bundle) -> LoadedModel:
    """Return the model once its golden frames were replayed; close it when done.

    Raises:
        StripscanError: The engine does not start, or gives other masks than the bundle; or the
            station needs a gate and the bundle has none.
    """
    gate = station_gate(station, bundle) if station.needs_gate else None
    engine = station_engine(station, bundle)
    model = LoadedModel(bundle=bundle, engine=engine, gate=gate)
    try:
        require_golden(engine, bundle)
        if gate is not None:
            require_gate_golden(gate, bundle)
    except BaseException:
        model.close()
        raise
    return model


def station_gate(station: Station, bundle: Bundle) -> OnnxGate:
    """Return the gate of a bundle; close it when done.

    Raises:
        BundleError: The bundle has none, or one that breaks its contract.
        EngineError: ONNX Runtime cannot load it.
    """
    entry = bundle.manifest.gate
    if entry is None:
        raise BundleError(
            f"{bundle.path}: has no gate, which gate = true in [inference] and overload = "
            "\"degrade\" in [pipeline] need: add one with 'stripscan bundle add-gate', or set the "
            "station to do without"
        )
    return OnnxGate(bundle.read(entry.file), entry, threads=station.inference.threads)
