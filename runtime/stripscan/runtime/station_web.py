"""The part of a station file that says where its live page is served, and to whom."""

from pathlib import Path

from pydantic import Field, model_validator

from stripscan.runtime.section import RelPath, Section, unit
from stripscan.runtime.station_control import Address, AddressText, is_loopback, parse_address

DEFAULT_WEB_ADDRESS = "127.0.0.1:8621"


class WebSection(Section):
    """Where ``stripscan serve`` listens, and what it keeps.

    Attributes:
        address: Address of this machine and port; port 0 takes a free one.
        database: Users, reviews and audit log; only its owner may read it.
        certificate: The server's certificate and what signs it, PEM.
        key: The key of ``certificate``, PEM.
        behind_proxy: A proxy in front of it speaks TLS and is the only one that reaches it.
        session_hours: How long a login lasts that is not used.
    """

    address: AddressText = DEFAULT_WEB_ADDRESS
    database: RelPath = Path("web.db")
    certificate: RelPath | None = None
    key: RelPath | None = None
    behind_proxy: bool = False
    session_hours: float = Field(default=12.0, gt=0, le=720, json_schema_extra=unit("h"))

    @model_validator(mode="after")
    def _passwords_travel_encrypted(self) -> "WebSection":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: give both, or none")
        if not self.local and self.certificate is None and not self.behind_proxy:
            raise ValueError(
                f'address = "{self.address}" lets other machines in: add certificate = "…" and '
                'key = "…", or behind_proxy = true where a proxy speaks TLS in front of it, or '
                f'listen on this machine alone, as on "{DEFAULT_WEB_ADDRESS}"'
            )
        return self

    @property
    def listen_at(self) -> Address:
        """Host and port."""
        return parse_address(self.address)

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.listen_at.host)

    @property
    def encrypted(self) -> bool:
        """Whether browsers speak TLS, with it or with a proxy in front of it."""
        return self.certificate is not None or self.behind_proxy

    def below(self, folder: Path) -> "WebSection":
        """Return the section with each relative path put below a folder."""
        files = {"database": self.database, "certificate": self.certificate, "key": self.key}
        return self.model_copy(
            update={name: folder / path for name, path in files.items() if path is not None}
        )
