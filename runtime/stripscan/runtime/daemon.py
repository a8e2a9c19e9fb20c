"""Runs a station over one coil: source, model and store put to work together."""

import importlib.resources
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from stripscan.contract.bundle import Bundle, open_bundle
from stripscan.contract.errors import CameraError
from stripscan.runtime.acquire import open_lines
from stripscan.runtime.coil_run import CoilRun, Progress, RunResult, now
from stripscan.runtime.conditioning.station_field import station_flat_field
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.choice import EngineChoice, open_engine
from stripscan.runtime.golden import require_golden
from stripscan.runtime.grading import recover_coils, station_rules
from stripscan.runtime.inspector import CoilInspector, classes_of
from stripscan.runtime.rules.judge import SeverityJudge
from stripscan.runtime.rules.load import Rules
from stripscan.runtime.shutdown import Shutdown
from stripscan.runtime.signer import check_signer
from stripscan.runtime.sources import FrameSource
from stripscan.runtime.station import Station
from stripscan.runtime.store import CoilRecord, Store

DEFAULT_BUNDLE_FILE = "neu-strip-small.zip"


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


def run_station(
    station: Station, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> RunResult:
    """Inspect one coil from its head to its tail, or until SIGINT or SIGTERM.

    Args:
        station: What to run.
        on_progress: Called after each band.

    Raises:
        StripscanError: The source, the model or the store failed. What was inspected until then
            is in the store, and the coil is marked as failed.
    """
    shutdown = Shutdown()
    with shutdown.listening():
        try:
            return _run_coil(station, shutdown, on_progress)
        except CameraError:
            if shutdown.requested:  # a source that was stopped while it was being opened
                raise KeyboardInterrupt from None
            raise


def _run_coil(
    station: Station, shutdown: Shutdown, on_progress: Callable[[Progress], None]
) -> RunResult:
    bundle = station_bundle(station)
    rules = station_rules(station, bundle)
    with closing(station_engine(station, bundle)) as engine:
        require_golden(engine, bundle)
        return _inspect_coil(
            station, bundle, engine, rules=rules, shutdown=shutdown, on_progress=on_progress
        )


def _inspect_coil(
    station: Station,
    bundle: Bundle,
    engine: Engine,
    *,
    rules: Rules,
    shutdown: Shutdown,
    on_progress: Callable[[Progress], None],
) -> RunResult:
    opened = open_lines(station)
    shutdown.on_request(opened.stop)
    with Store.open(station.store.path) as store:
        recover_coils(store, rules)
        with opened as source:
            coil = station.coil.id or f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{station.name}"
            inspector = CoilInspector(
                coil=coil,
                station=station,
                manifest=bundle.manifest,
                engine=engine,
                width_px=source.width_px,
                flat_field=station_flat_field(station, width_px=source.width_px),
            )
            store.start_coil(_record(coil, station, bundle, source))
            run = CoilRun(
                coil=coil,
                station=station,
                rules=rules,
                judge=SeverityJudge(
                    rules.file, classes_of(bundle.manifest), surface=station.camera.surface
                ),
                store=store,
                source=source,
                inspector=inspector,
            )
            shutdown.on_request(run.stop)
            return run.to_the_end(on_progress)


def _record(coil: str, station: Station, bundle: Bundle, source: FrameSource) -> CoilRecord:
    camera = station.camera
    return CoilRecord(
        id=coil,
        station=station.name,
        camera=camera.name,
        surface=camera.surface,
        started_at=now(),
        width_px=source.width_px,
        mm_per_px=camera.mm_per_px,
        mm_per_line=camera.mm_per_line,
        bundle_name=bundle.manifest.name,
        bundle_digest=bundle.digest,
        classes=classes_of(bundle.manifest),
    )
