"""The station file: the cameras over one strip, and what is done with their lines."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ModelWrapValidatorHandler, model_validator

from stripscan.contract.errors import ConfigError
from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.runtime.conditioning.transfer import Bits, Transfer
from stripscan.runtime.engines.base import EngineName, Precision
from stripscan.runtime.engines.triton_wire import TritonServer
from stripscan.runtime.section import RelPath, Section, unit
from stripscan.runtime.station_control import CoilSection, ControlSection
from stripscan.runtime.station_encoder import EncoderSection
from stripscan.runtime.station_events import (
    AlarmSection,
    ModbusSection,
    MqttSection,
    OutboxSection,
    WebhookSection,
    below_folder,
)
from stripscan.runtime.station_genicam import GenicamSource
from stripscan.runtime.station_pipeline import PipelineSection
from stripscan.runtime.station_rolls import RollRepeatSection, RollSection
from stripscan.runtime.station_rules import RulesSection
from stripscan.runtime.station_sources import (
    FolderSource,
    SimulatorSource,
    SourceSection,
    VideoSource,
    source_below,
)
from stripscan.runtime.station_store import StoreSection
from stripscan.runtime.station_view import ViewSection, check_views, with_a_source
from stripscan.runtime.station_web import WebSection
from stripscan.runtime.toml_file import parse_toml, text_of

DEFAULT_BUNDLE = "default"
"""What ``bundle.path`` says for the bundle that comes with stripscan."""


def _list_of_paths(given: object) -> object:
    if not isinstance(given, list | tuple) or not all(isinstance(p, str | Path) for p in given):
        raise ValueError('it must be a list of paths, like ["mill.pub.pem"]')
    return tuple(Path(p) for p in given)


class BundleSection(Section):
    """The model, and whose it must be.

    Who names trusted keys wants them to be enforced, so ``signature`` is ``require`` then. Without
    keys no signature means anything: anybody can sign. A station that names none is not told to
    make some before it can inspect its first coil, so nothing is asked for, and it is an error to
    ask for a check that no bundle can pass.

    Attributes:
        path: A bundle's folder or zip, or ``"default"`` for the one that comes with stripscan.
        signature: ``require`` refuses a bundle that no trusted key has signed, ``warn`` logs it,
            ``ignore`` does not look; ``require`` where None and there are keys, else ``ignore``.
        trusted_keys: Files of public keys.
    """

    path: str = Field(default=DEFAULT_BUNDLE, min_length=1)
    signature: Literal["require", "warn", "ignore"] | None = None
    trusted_keys: Annotated[tuple[Path, ...], BeforeValidator(_list_of_paths)] = ()

    @model_validator(mode="after")
    def _check_has_keys(self) -> "BundleSection":
        if self.signature in {"require", "warn"} and not self.trusted_keys:
            raise ValueError(
                f'signature = "{self.signature}" needs the public keys that are trusted: '
                'add trusted_keys = ["mill.pub.pem"]'
            )
        return self

    @property
    def signature_policy(self) -> Literal["require", "warn", "ignore"]:
        """What is done with a bundle that no trusted key has signed."""
        return self.signature or ("require" if self.trusted_keys else "ignore")

    @property
    def folder(self) -> Path | None:
        """Folder of the bundle, or None for the one that comes with stripscan."""
        return None if self.path == DEFAULT_BUNDLE else Path(self.path)


class TritonSection(Section):
    """The Triton Inference Server that runs the model; see ``TritonServer``.

    Attributes:
        address: Host and gRPC port.
        timeout_s: How long a call may take, in s.
        tls: Whether the connection is encrypted.
        ca: Certificates that sign the server's, PEM; the system's where None.
        certificate: The station's own certificate, PEM.
        key: The key of ``certificate``, PEM.
    """

    address: str = Field(min_length=1)
    timeout_s: float = Field(default=2.0, gt=0, le=3600, json_schema_extra=unit("s"))
    tls: bool = False
    ca: RelPath | None = None
    certificate: RelPath | None = None
    key: RelPath | None = None

    @model_validator(mode="after")
    def _can_be_a_server(self) -> "TritonSection":
        try:
            _ = self.server  # making it checks the values
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def server(self) -> TritonServer:
        """The server as the engine wants it."""
        return TritonServer(
            address=self.address,
            timeout_s=self.timeout_s,
            tls=self.tls,
            ca=self.ca,
            certificate=self.certificate,
            key=self.key,
        )


class InferenceSection(Section):
    """What runs the model, and how tiles reach it.

    Attributes:
        engine: What runs it.
        precision: Which variant of the bundle; the engine's usual one where None.
        batch: Tiles in one call.
        threads: CPU threads; 0 takes all cores.
        tile_px: Side of a tile in px; the gate's, where it is used, or the bundle's own where None.
        halo_px: Context around the kept part of a tile in px; the bundle's own where None.
        gate: Whether only those tiles reach the model in which the bundle's gate marks something.
    """

    engine: EngineName = "onnx"
    precision: Precision | None = None
    batch: int = Field(default=16, ge=1, le=1024, json_schema_extra=unit("tiles"))
    threads: int = Field(default=0, ge=0, le=1024)
    tile_px: int | None = Field(
        default=None,
        ge=SIZE_MULTIPLE_PX,
        le=8192,
        multiple_of=SIZE_MULTIPLE_PX,
        json_schema_extra=unit("px"),
    )
    halo_px: int | None = Field(default=None, ge=0, le=4095, json_schema_extra=unit("px"))
    gate: bool = False

    @model_validator(mode="after")
    def _core_is_left(self) -> "InferenceSection":
        tile_px, halo_px = self.tile_px, self.halo_px
        if tile_px is not None and halo_px is not None and 2 * halo_px >= tile_px:
            raise ValueError(
                f"halo_px = {halo_px} leaves nothing of tile_px = {tile_px}: "
                f"it must be a whole number in px, at least 0, at most {tile_px // 2 - 1}"
            )
        return self


class CameraSection(Section):
    """The camera and its scale.

    Attributes:
        name: Name in blocks, coverage and reports.
        surface: Side of the strip that it sees.
        mm_per_px: Pitch across the strip, in mm.
        mm_per_line: Way of the strip from line to line, in mm.
        strip_edges: ``detect`` finds the strip's edges; ``full`` says that it fills the view.
        bits: Bits of its grey values.
        transfer: Curve from more than 8 bits to 8.
        flat_field: What ``stripscan flat-field learn`` wrote for it.
        edge_margin_mm: Metal along each edge of the strip that is not reported, in mm.
        drift_alarm_percent: Change of the light since the flat field that is an alarm, in %.
        top_speed_m_s: Highest speed of the strip in m/s, for the time budget of ``doctor``.
    """

    name: str = Field(default="camera", min_length=1)
    surface: Literal["top", "bottom"] = "top"
    mm_per_px: float = Field(gt=0, le=100, json_schema_extra=unit("mm"))
    mm_per_line: float = Field(gt=0, le=100, json_schema_extra=unit("mm"))
    strip_edges: Literal["detect", "full"] = "detect"
    bits: Bits = 8
    transfer: Transfer = "linear"
    flat_field: RelPath | None = None
    edge_margin_mm: float = Field(default=0.0, ge=0, le=1000, json_schema_extra=unit("mm"))
    drift_alarm_percent: float = Field(default=20.0, gt=0, le=100, json_schema_extra=unit("%"))
    top_speed_m_s: float | None = Field(default=None, gt=0, le=100, json_schema_extra=unit("m/s"))

    @model_validator(mode="after")
    def _keys_fit(self) -> "CameraSection":
        if self.edge_margin_mm and self.strip_edges == "full":
            raise ValueError('edge_margin_mm needs the strip\'s edges: strip_edges = "detect"')
        if self.transfer != "linear" and self.bits == 8:
            raise ValueError(f'transfer = "{self.transfer}" needs bits above 8')
        return self


class StitchSection(Section):
    """How pieces of defects are joined: nearer than ``join_mm`` they are one defect."""

    join_mm: float = Field(default=2.0, ge=0, le=1000, json_schema_extra=unit("mm"))


class ReportSection(Section):
    """What the report shows: the side of a defect's picture."""

    picture_px: int = Field(default=256, ge=32, le=2048, json_schema_extra=unit("px"))


class Station(Section):
    """A whole station file; docs/reference/station.md lists every key.

    With several cameras ``camera`` says what they share, and ``source`` is that of the first.
    """

    name: str = Field(min_length=1)
    camera: CameraSection
    view: tuple[ViewSection, ...] = Field(default=(), strict=False)
    encoder: EncoderSection | None = None
    source: SourceSection
    pipeline: PipelineSection = PipelineSection()
    coil: CoilSection = CoilSection()
    store: StoreSection = StoreSection()
    bundle: BundleSection = BundleSection()
    inference: InferenceSection = InferenceSection()
    triton: TritonSection | None = None
    stitch: StitchSection = StitchSection()
    report: ReportSection = ReportSection()
    rules: RulesSection = RulesSection()
    roll: tuple[RollSection, ...] = Field(default=(), strict=False)
    roll_repeat: RollRepeatSection = RollRepeatSection()
    control: ControlSection | None = None
    web: WebSection = WebSection()
    alarm: AlarmSection = AlarmSection()
    outbox: OutboxSection = OutboxSection()
    mqtt: MqttSection | None = None
    modbus: ModbusSection | None = None
    webhook: WebhookSection | None = None

    @property
    def needs_gate(self) -> bool:
        """Whether a bundle without a gate cannot do what the station asks for."""
        return self.inference.gate or self.pipeline.overload == "degrade"

    @property
    def sources(self) -> tuple[SourceSection, ...]:
        """Where the lines of all cameras come from."""
        return tuple(view.source for view in self.view) or (self.source,)

    @model_validator(mode="wrap")
    @classmethod
    def _has_the_first_source(
        cls, given: Any, handler: ModelWrapValidatorHandler["Station"]
    ) -> "Station":
        station = handler(with_a_source(given))
        if not station.view:
            return station
        return station.model_copy(update={"source": station.view[0].source})

    @model_validator(mode="after")
    def _views_fit(self) -> "Station":
        if self.view:
            check_views(self.view, self.camera)
        if self.view and self.encoder is not None:
            raise ValueError(
                "a table [encoder] does not go with [[view]] yet: let the encoder trigger the "
                "lines; cameras that send its count with each block are aligned by it"
            )
        return self

    @model_validator(mode="after")
    def _commands_need_a_live_source(self) -> "Station":
        live = all(
            isinstance(source, GenicamSource)
            or (source.live if isinstance(source, VideoSource) else getattr(source, "pace", False))
            for source in self.sources
        )
        if self.coil.control == "commands" and not live:
            raise ValueError(
                'control = "commands" in [coil] needs a source that runs on: a camera, a stream or '
                "a device, or the simulator with pace = true"
            )
        return self

    @model_validator(mode="after")
    def _source_has_bits(self) -> "Station":
        for source in self.sources:
            if self.camera.bits != 8 and isinstance(source, VideoSource | SimulatorSource):
                raise ValueError(f'a source of kind "{source.kind}" has 8 bits: set bits = 8')
            if isinstance(source, GenicamSource) and not source.holds(self.camera.bits):
                held = source.bits
                raise ValueError(
                    f'pixel_format = "{source.pixel_format}" does not fit bits = '
                    f"{self.camera.bits} in [camera]: set bits = {held}"
                    + (", or to the 10, 12 or 14 that the camera fills" if held == 16 else "")
                )
        return self

    @model_validator(mode="after")
    def _process_knows_sizes(self) -> "Station":
        if any(isinstance(source, FolderSource) for source in self.sources):
            self.pipeline.check_needs_no_size()
        return self

    @model_validator(mode="after")
    def _server_is_known(self) -> "Station":
        if (self.inference.engine == "triton") != (self.triton is not None):
            raise ValueError('engine = "triton" in [inference] and a table [triton] go together')
        return self

    @model_validator(mode="after")
    def _reversals_are_counted(self) -> "Station":
        for source in self.sources:
            if isinstance(source, SimulatorSource) and source.reversals and self.encoder is None:
                raise ValueError(
                    f"reversals = {source.reversals} in [source] needs a table [encoder]: "
                    "without counts nobody knows that the strip moves back"
                )
        return self

    @model_validator(mode="after")
    def _rolls_are_told_apart(self) -> "Station":
        names = [roll.name for roll in self.roll]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f'two tables [[roll]] have the name = "{twice}": give each its own')
        return self


def load_station(path: Path) -> Station:
    """Read a station file.

    Args:
        path: The TOML file, UTF-8. Relative paths in it count from its folder.

    Returns:
        The station, with absolute paths.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or has wrong keys or values. The message
            has a line for each problem, with file, line, key, value, unit and allowed range.
    """
    station = parse_toml(text_of(path, what="station file"), Station, file=path)
    return _with_absolute_paths(station, path.resolve().parent)


def _with_absolute_paths(station: Station, folder: Path) -> Station:
    """Return the station with each relative path put below the station file's folder."""
    store, bundle = station.store, station.bundle
    if bundle.folder is not None:
        bundle = bundle.model_copy(update={"path": str(folder / bundle.folder)})
    keys = tuple(folder / key for key in bundle.trusted_keys)
    bundle = bundle.model_copy(update={"trusted_keys": keys})
    triton = station.triton
    if triton is not None:
        files = {"ca": triton.ca, "certificate": triton.certificate, "key": triton.key}
        below = {name: folder / path for name, path in files.items() if path}
        triton = triton.model_copy(update=below)
    store = store.model_copy(update={"path": folder / store.path})
    control = station.control
    if control is not None and control.token_file is not None:
        control = control.model_copy(update={"token_file": folder / control.token_file})
    rules = station.rules
    if rules.path is not None:
        rules = rules.model_copy(update={"path": folder / rules.path})
    camera = station.camera
    if camera.flat_field is not None:
        camera = camera.model_copy(update={"flat_field": folder / camera.flat_field})
    parts = {
        "store": store,
        "bundle": bundle,
        "source": source_below(station.source, folder),
        "view": tuple(view.below(folder) for view in station.view),
        "triton": triton,
        "camera": camera,
        "rules": rules,
        "control": control,
        "web": station.web.below(folder),
        "mqtt": station.mqtt and below_folder(station.mqtt, folder),
        "webhook": station.webhook and below_folder(station.webhook, folder),
    }
    return station.model_copy(update=parts)
