"""The part of a station file that says who names the coils, and where commands come in."""

import ipaddress
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from stripscan.runtime.section import RelPath, Section, unit

DEFAULT_ADDRESS = "127.0.0.1:8620"


class CoilSection(Section):
    """The coil that is inspected, or who names the coils.

    Attributes:
        id: Its name; where none is given the runtime makes one.
        length_m: Planned length in m, for the progress display.
        control: ``run`` inspects one coil; ``commands`` inspects coil after coil, as told.
    """

    id: str | None = Field(default=None, min_length=1)
    length_m: float | None = Field(default=None, gt=0, le=100_000, json_schema_extra=unit("m"))
    control: Literal["run", "commands"] = "run"

    @model_validator(mode="after")
    def _commands_name_coils(self) -> "CoilSection":
        if self.control == "commands" and self.model_fields_set & {"id", "length_m"}:
            raise ValueError('with control = "commands" id and length_m come with each coil')
        return self


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


def parse_address(address: str) -> Address:
    """Split ``"host:port"``; an IPv6 address stands in brackets.

    Raises:
        ValueError: It is something else.
    """
    parts = urlsplit(f"//{address}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if not parts.hostname or port is None or parts.netloc != address or "@" in address:
        raise ValueError(f'it must be an address and a port, like "{DEFAULT_ADDRESS}"')
    return Address(parts.hostname, port)


def _an_address(text: str) -> str:
    parse_address(text)
    return text


AddressText = Annotated[str, AfterValidator(_an_address)]
"""Host and port as a station file has them, see ``parse_address``."""


class ControlSection(Section):
    """Where the station listens for commands, health checks and metrics.

    Attributes:
        address: Address of this machine and port; port 0 takes a free one.
        token_file: File with the token that each request must bring.
    """

    address: AddressText = DEFAULT_ADDRESS
    token_file: RelPath | None = None

    @model_validator(mode="after")
    def _strangers_need_a_token(self) -> "ControlSection":
        if self.token_file is None and not is_loopback(self.listen_at.host):
            raise ValueError(
                f'address = "{self.address}" lets other machines in: add token_file = "…", or '
                f'listen on this machine alone, as on "{DEFAULT_ADDRESS}"'
            )
        return self

    @property
    def listen_at(self) -> Address:
        """Host and port."""
        return parse_address(self.address)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, whatever a name server says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
