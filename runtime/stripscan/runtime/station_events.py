"""The parts of a station file that say who is told what the station finds."""

from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from stripscan.contract.classes import Severity
from stripscan.runtime.section import RelPath, Section, unit
from stripscan.runtime.station_control import Address, AddressText, is_loopback, parse_address

DEFAULT_MODBUS_ADDRESS = "127.0.0.1:5020"


def _list_of_texts(given: object) -> object:
    return tuple(given) if isinstance(given, list) else given


class AlarmSection(Section):
    """What raises an alarm beside roll repeats, lost cameras and what cannot be delivered.

    Attributes:
        severities: Severities of defects that raise one.
        not_inspected_m: Metal of a coil, dropped or unknown, that raises one, in m.
    """

    severities: Annotated[tuple[Severity, ...], BeforeValidator(_list_of_texts)] = ("critical",)
    not_inspected_m: float = Field(default=1.0, ge=0, le=100_000, json_schema_extra=unit("m"))


class OutboxSection(Section):
    """Events on their way.

    Attributes:
        quota_mb: Undelivered events, in 10⁶ bytes, that are an alarm; none is dropped.
    """

    quota_mb: float = Field(default=500.0, gt=0, le=1e6, json_schema_extra=unit("MB"))


class MqttSection(Section):
    """The broker that events go to and coil commands come from.

    Attributes:
        address: Host and port.
        topic: What all topics of this station begin with; made of its name where None.
        username: Name at the broker; the environment's ``STRIPSCAN_MQTT_USERNAME`` where None.
        password_file: File with the password; ``STRIPSCAN_MQTT_PASSWORD`` where None.
        tls: Whether the connection is encrypted; it is with one of the files below, too.
        ca: Certificates that sign the broker's, PEM; the system's where None.
        certificate: The station's own certificate, PEM.
        key: The key of ``certificate``, PEM.
        commands: Whether coils are started and ended over the broker.
    """

    address: AddressText
    topic: str | None = Field(default=None, min_length=1, max_length=200)
    username: str | None = Field(default=None, min_length=1)
    password_file: RelPath | None = None
    tls: bool = False
    ca: RelPath | None = None
    certificate: RelPath | None = None
    key: RelPath | None = None
    commands: bool = False

    @field_validator("topic")
    @classmethod
    def _can_be_published_to(cls, topic: str | None) -> str | None:
        if topic is not None and (set(topic) & set("+#\0") or topic[0] in "/$" or topic[-1] == "/"):
            raise ValueError("a topic has no +, # or $ and does not begin or end with /")
        return topic

    @model_validator(mode="after")
    def _key_has_a_certificate(self) -> "MqttSection":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self

    @property
    def broker(self) -> Address:
        """Host and port."""
        return parse_address(self.address)

    @property
    def encrypted(self) -> bool:
        """Whether the connection is encrypted."""
        return self.tls or bool(self.ca or self.certificate)


class ModbusSection(Section):
    """Where a PLC reads and acknowledges.

    Attributes:
        address: Address of this machine and port; port 0 takes a free one.
        open_to_network: Whether an address that other machines reach is meant.
    """

    address: AddressText = DEFAULT_MODBUS_ADDRESS
    open_to_network: bool = False

    @model_validator(mode="after")
    def _strangers_are_meant(self) -> "ModbusSection":
        if not self.open_to_network and not is_loopback(self.listen_at.host):
            raise ValueError(
                f'address = "{self.address}" lets other machines read and acknowledge, for Modbus '
                "has no passwords: add open_to_network = true, and keep it on the PLC's own network"
            )
        return self

    @property
    def listen_at(self) -> Address:
        """Host and port."""
        return parse_address(self.address)


class WebhookSection(Section):
    """An HTTP server that events are posted to.

    Attributes:
        url: Where.
        secret_file: File with the secret that signs them; ``STRIPSCAN_WEBHOOK_SECRET`` where None.
        timeout_s: How long an answer may take, in s.
        batch: Most events in one request.
    """

    url: str
    secret_file: RelPath | None = None
    timeout_s: float = Field(default=10.0, gt=0, le=300, json_schema_extra=unit("s"))
    batch: int = Field(default=100, ge=1, le=1000, json_schema_extra=unit("events"))

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError('it must be an address like "https://mes.mill.example/strip"')
        return url


AnySection = TypeVar("AnySection", bound=Section)


def below_folder(section: AnySection, folder: Path) -> AnySection:
    """Return a section with each of its relative paths put below a folder."""
    paths = {
        name: folder / value
        for name in type(section).model_fields
        if isinstance(value := getattr(section, name), Path)
    }
    return section.model_copy(update=paths)
