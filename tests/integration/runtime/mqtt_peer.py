"""A real broker, a way to it that can be cut, and a receiver that remembers everything."""

import datetime
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

BROKER = "/usr/sbin/mosquitto"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until(happens: Callable[[], object], limit_s: float = 30.0) -> None:
    end_s = time.monotonic() + limit_s
    while not happens():
        assert time.monotonic() < end_s, "it does not happen"
        time.sleep(0.005)


class Broker:
    """Mosquitto on a free port; it writes sessions to disk as they change."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    *(settings or ("allow_anonymous true",)),
                    "persistence true",
                    f"persistence_location {folder}/",
                    "max_queued_messages 0",
                    "max_inflight_messages 0",
                    "autosave_on_changes true",
                    "autosave_interval 1",
                    "user root",
                    "",
                ]
            )
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [BROKER, "-c", self._file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._listens)

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(kind)
            self._process.wait(10)
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "mosquitto has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def broker(folder: Path, *settings: str) -> Iterator[Broker]:
    running = Broker(folder, *settings)
    try:
        yield running
    finally:
        running.stop()


class Wire:
    """Passes bytes on to a port, until it is cut; then it is whole for whoever comes next."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> bool:
        """Cut, and return whether there was anything."""
        with self._lock:
            ends, self._open = self._open, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        return bool(ends)

    def close(self) -> None:
        # A thread in accept() holds the port until somebody comes.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Receiver:
    """Subscribes with a session that the broker keeps, and remembers all messages."""

    def __init__(self, port: int, topics: str = "stripscan/#", name: str = "receiver") -> None:
        self.messages: list[MQTTMessage] = []
        self._topics = topics
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._subscribe
        self._client.on_message = lambda _c, _u, message: self.messages.append(message)
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_disconnect = lambda *_: self._subscribed.clear()
        kept = Properties(PacketTypes.CONNECT)
        kept.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=kept)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe(self._topics, qos=1)

    @property
    def connected(self) -> bool:
        """Whether the broker sends it what comes."""
        return self._subscribed.is_set()

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events, as they came."""
        told = [m for m in tuple(self.messages) if "/events/" in m.topic]
        return [json.loads(m.payload) for m in told]

    def once(self) -> list[dict[str, Any]]:
        """Return the events in the order of their first coming, each once."""
        return list({e["id"]: e for e in self.events}.values())

    def last(self, topic: str) -> str:
        """Return what was last said on a topic, nothing where nothing was."""
        said = [m.payload.decode() for m in tuple(self.messages) if m.topic == topic]
        return said[-1] if said else ""

    def ask(
        self, topic: str, body: bytes, *, retain: bool = False, time: str | None = None
    ) -> dict[str, Any]:
        """Send a command and return its answer."""
        number = str(len(self.messages)).encode()
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = "stripscan/answers"
        properties.CorrelationData = number
        if time:
            properties.UserProperty = ("time", time)
        self._client.publish(topic, body, qos=1, retain=retain, properties=properties)
        found: list[MQTTMessage] = []

        def answered() -> bool:
            found[:] = [
                m
                for m in tuple(self.messages)
                if m.topic == "stripscan/answers" and m.properties.CorrelationData == number
            ]
            return bool(found)

        until(answered, 10.0)
        answer: dict[str, Any] = json.loads(found[0].payload)
        return answer


def certificates(folder: Path) -> Path:
    """Write a certificate of localhost, which signs itself, and its key; return the former."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "server.crt").write_bytes(certificate.public_bytes(pem))
    return folder / "server.crt"
