"""The connection to a Triton Inference Server: gRPC calls with deadlines, and their errors.

The protocol is KServe's v2 with Triton's extensions; its messages come with ``tritonclient``.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stripscan.contract.errors import ConfigError, EngineError, missing_extra

_ADDRESS: Final = re.compile(r"([^\s:/\[\]]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A peer that vanished without a word would hold the connection for minutes. Pings are sent
    # during calls only: servers close the connection of a client that pings between them.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    # A restarted server is found within two seconds; by default it can take two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),  # the server is in the mill's own network
)
_ADVICE: Final = {
    "UNAVAILABLE": "check that the server runs, and that address, gRPC port and TLS are right",
    "DEADLINE_EXCEEDED": "check the network and the server's load; more instances or a longer "
    "timeout_s help if it is only slow",
    "NOT_FOUND": "write its model repository with 'stripscan export --to triton' from the bundle "
    "of this station, and restart the server",
    "INVALID_ARGUMENT": "write its model repository anew with 'stripscan export --to triton'",
    "UNAUTHENTICATED": "check certificate and key",
    "PERMISSION_DENIED": "check certificate and key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonServer:
    """Where a server is and how it is asked.

    Attributes:
        address: Host and gRPC port, such as ``gpu-server:8001``.
        model: Name of the model; the one that belongs to the bundle's file where None. Only that
            one makes sure of the file in every call and not just when connecting.
        timeout_s: How long a call may take, a second try included, in s.
        tls: Whether the connection is encrypted; it is where one of the files is given.
        ca: Certificates that sign the server's, PEM; the system's where None.
        certificate: The station's own certificate, PEM, for servers that ask for one.
        key: The key of ``certificate``, PEM.

    Raises:
        ConfigError: The values cannot be those of a server.
    """

    address: str
    model: str | None = None
    timeout_s: float = 2.0
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise ConfigError(
                f"{self.address!r} is no address of a Triton server: write host and gRPC port, "
                "such as gpu-server:8001"
            )
        if not 0 < self.timeout_s <= 3600:
            raise ConfigError(f"timeout_s is {self.timeout_s}: it must be above 0, at most 3600 s")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("certificate and key of a Triton server go together: give both")


class ServerGone(EngineError):  # noqa: N818 - what the operator reads, as CameraLost
    """The server cannot be reached now, or refused for now; another try may succeed."""


class Connection:
    """Calls to one server. It reconnects by itself; a call that meets a break fails.

    Raises:
        MissingPartError: tritonclient is not installed.
        ConfigError: A certificate or key cannot be read.
    """

    def __init__(self, server: TritonServer) -> None:
        self.server = server
        self._grpc, self.messages, self.config_messages, stubs = _packages()
        self._channel = self._open()
        self._stub = stubs.GRPCInferenceServiceStub(self._channel)

    def _open(self) -> Any:
        server, grpc = self.server, self._grpc
        if not (server.tls or server.ca or server.certificate):
            return grpc.insecure_channel(server.address, options=_OPTIONS)
        credentials = grpc.ssl_channel_credentials(
            root_certificates=_read(server.ca),
            private_key=_read(server.key),
            certificate_chain=_read(server.certificate),
        )
        return grpc.secure_channel(server.address, credentials, options=_OPTIONS)

    def call(self, method: str, request: Any, *, timeout_s: float) -> Any:
        """Call a method of Triton's ``GRPCInferenceService``.

        Args:
            method: Its name.
            request: A message of ``messages``.
            timeout_s: How long it may take, in s; not above 0 fails at once.

        Raises:
            ServerGone: The server cannot be reached, or refused for now.
            EngineError: Anything else went wrong.
        """
        try:
            return getattr(self._stub, method)(request, timeout=timeout_s)
        except self._grpc.RpcError as error:
            raise self._explained(error) from error
        except ValueError as error:  # grpc's word for a channel that was closed
            raise EngineError(f"Triton at {self.server.address}: {error}") from error

    def _explained(self, error: Any) -> EngineError:
        code = error.code().name
        kind = ServerGone if code in ("UNAVAILABLE", "CANCELLED") else EngineError
        said = f"no answer within {self.server.timeout_s:g} s"
        if code != "DEADLINE_EXCEEDED":
            said = f"{code}: {error.details()}"
        advice = _ADVICE.get(code, "see the log of the server")
        return kind(f"Triton at {self.server.address}: {said}: {advice}")

    def close(self) -> None:
        """Close the connection; calls fail from now on."""
        self._channel.close()


def _packages() -> tuple[Any, Any, Any, Any]:
    """Return grpc, and Triton's messages and stubs, none of which a lean install has."""
    # gRPC writes every reconnection to stderr otherwise, between the lines of the log.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        import grpc  # noqa: PLC0415 - an optional package
        from tritonclient.grpc import (  # noqa: PLC0415 - the same
            model_config_pb2,
            service_pb2,
            service_pb2_grpc,
        )
    except (ImportError, RuntimeError) as error:  # RuntimeError: installed in part, or too old
        raise missing_extra("triton", "the engine triton") from error
    return grpc, service_pb2, model_config_pb2, service_pb2_grpc


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read for TLS: {error.strerror or error}") from error
