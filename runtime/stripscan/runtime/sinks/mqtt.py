"""Events to an MQTT 5 broker, and commands from it."""

import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from stripscan.contract.errors import ConfigError
from stripscan.contract.event import EVENT_SCHEMA_VERSION
from stripscan.runtime.control.level2 import Level2Desk
from stripscan.runtime.outbox_tables import Row
from stripscan.runtime.sinks.base import Refused, SinkError
from stripscan.runtime.sinks.credentials import read_secret
from stripscan.runtime.station_events import MqttSection

logger = logging.getLogger(__name__)

USERNAME_VARIABLE: Final = "STRIPSCAN_MQTT_USERNAME"
PASSWORD_VARIABLE: Final = "STRIPSCAN_MQTT_PASSWORD"  # noqa: S105 - the name of a variable
ONLINE: Final = "online"
OFFLINE: Final = "offline"

_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 10.0
_FAREWELL_S: Final = 1.0
_KEEPALIVE_S: Final = 10
_WINDOW: Final = 20
"""Messages on the way at a time; what paho and Mosquitto have as their usual limit."""

_CONTENT_TYPE: Final = "application/cloudevents+json"
_OF_THE_EVENT: Final = frozenset({0x90, 0x99})
"""Reason codes that blame the message: topic name invalid, payload format invalid."""


def base_topic(station: str, section: MqttSection) -> str:
    """Return what all topics of a station begin with.

    >>> base_topic("mill 1/top", MqttSection(address="broker:1883"))
    'stripscan/mill 1-top'
    """
    told = "".join("-" if letter in "/+#\0" else letter for letter in station)
    return section.topic or f"stripscan/{told}"


@dataclass(slots=True)
class _Link:
    """One connection; what it says comes in the thread of its client."""

    client: Client
    said: threading.Condition = field(default_factory=threading.Condition)
    connected: ReasonCode | None = None
    lost: str = ""
    acknowledged: dict[int, ReasonCode] = field(default_factory=dict)

    def answer_to(self, number: int, patience_s: float = _ANSWER_S) -> ReasonCode | None:
        """Wait for what the broker says of a message; None where it does not."""
        with self.said:
            self.said.wait_for(lambda: number in self.acknowledged or self.lost, patience_s)
            return self.acknowledged.pop(number, None)


class MqttSink:
    """Publishes with QoS 1; what the broker has acknowledged is delivered.

    Nothing is left to sessions: each connection starts clean, what was not acknowledged is
    published again from the outbox, and no command waits at the broker for a station that is away.

    Args:
        station: Name of the station.
        section: The broker.
        desk: Who answers commands, if they are to be taken.

    Raises:
        ConfigError: A certificate, key or password cannot be read.
    """

    name = "mqtt"
    window = _WINDOW

    def __init__(self, station: str, section: MqttSection, desk: Level2Desk | None = None) -> None:
        self._section = section
        self._base = base_topic(station, section)
        self._client_id = f"stripscan-{self._base.replace('/', '-')}"
        self._desk = desk
        self._tls = _tls_of(section)
        self._username = section.username or read_secret(None, USERNAME_VARIABLE)
        self._password = read_secret(section.password_file, PASSWORD_VARIABLE)
        self._link: _Link | None = None

    @property
    def base(self) -> str:
        """What all topics begin with."""
        return self._base

    def open(self) -> None:
        """Connect, say that the station is there, and listen for commands.

        Raises:
            SinkError: The broker cannot be reached, or refuses.
        """
        link = self._link = _Link(self._new_client())
        client = link.client
        client.user_data_set(link)
        host, port = self._section.broker
        try:
            client.connect(host, port, keepalive=_KEEPALIVE_S, clean_start=True)
        except (OSError, ValueError) as error:
            raise SinkError(f"{host}:{port} cannot be reached: {error}") from error
        client.loop_start()
        with link.said:
            link.said.wait_for(lambda: link.connected is not None or link.lost, _CONNECT_S)
            answer, lost = link.connected, link.lost
        if answer is None or answer.is_failure:
            why = answer or lost or f"no answer in {_CONNECT_S:g} s"
            raise SinkError(f"{host}:{port} refuses the connection: {why}")
        if self._desk is not None:
            options = SubscribeOptions(
                qos=1,
                noLocal=True,
                retainAsPublished=True,
                retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND,
            )
            client.subscribe(f"{self._base}/command/#", options=options)
        client.publish(f"{self._base}/available", ONLINE, qos=1, retain=True)

    def send(self, rows: Sequence[Row], delivered: Callable[[int], None]) -> None:
        """Publish events and wait for the acknowledgement of each; see ``Sink.send``."""
        link = self._linked()
        with link.said:
            link.acknowledged.clear()  # numbers come again, so none of an answer may stay
        sent = [(row.position, self._publish(link, row)) for row in rows]
        for position, number in sent:
            answer = link.answer_to(number)
            if answer is None:
                raise SinkError(link.lost or f"no acknowledgement in {_ANSWER_S:g} s")
            if answer.value in _OF_THE_EVENT:
                raise Refused(position, str(answer))
            if answer.is_failure:
                raise SinkError(f"the broker does not take events: {answer}")
            delivered(position)

    def idle(self) -> None:
        """Look whether the connection holds.

        Raises:
            SinkError: The broker is gone.
        """
        self._linked()

    def close(self) -> None:
        """Say that the station goes, and disconnect."""
        link, self._link = self._link, None
        if link is None:
            return
        if link.client.is_connected():
            farewell = link.client.publish(f"{self._base}/available", OFFLINE, qos=1, retain=True)
            link.answer_to(farewell.mid, _FAREWELL_S)
        link.client.disconnect()
        link.client.loop_stop()

    def _linked(self) -> _Link:
        link = self._link
        if link is None or link.lost or not link.client.is_connected():
            raise SinkError((link and link.lost) or "the connection to the broker is lost")
        return link

    def _publish(self, link: _Link, row: Row) -> int:
        properties = _of_a_message()
        properties.ContentType = _CONTENT_TYPE
        properties.PayloadFormatIndicator = 1
        properties.UserProperty = [
            ("id", row.id),
            ("schemaversion", str(EVENT_SCHEMA_VERSION)),
        ]
        topic = f"{self._base}/events/{row.kind.replace('.', '/')}"
        told = link.client.publish(topic, row.text.encode(), qos=1, properties=properties)
        if told.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise SinkError(link.lost or f"the broker is gone: {told.rc.name}")
        return told.mid

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_S
        client.max_inflight_messages_set(_WINDOW)
        if self._username is not None:
            client.username_pw_set(self._username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.will_set(f"{self._base}/available", OFFLINE, qos=1, retain=True)
        client.on_socket_open = _send_at_once
        client.on_connect = _on_connect
        client.on_disconnect = _on_disconnect
        client.on_publish = _on_publish
        client.on_message = self._on_message
        return client

    def _on_message(self, client: Client, _link: _Link, message: MQTTMessage) -> None:
        try:
            self._answer(client, message)
        except Exception:  # it must not end the client's thread
            logger.exception("a command broke off", extra={"topic": message.topic})

    def _answer(self, client: Client, message: MQTTMessage) -> None:
        if self._desk is None:
            return
        properties = message.properties
        sent = dict(getattr(properties, "UserProperty", ())).get("time")
        command = message.topic.removeprefix(f"{self._base}/command/")
        answer = self._desk.answer(
            command, bytes(message.payload), retained=message.retain, sent_at=sent
        )
        log = logger.info if answer["ok"] else logger.warning
        log("command", extra={"command": command, "by": "mqtt", **answer})
        topic = getattr(properties, "ResponseTopic", "")
        if not topic or set(topic) & set("+#"):
            return
        reply = _of_a_message()
        reply.ContentType = "application/json"
        if correlation := getattr(properties, "CorrelationData", None):
            reply.CorrelationData = correlation
        client.publish(topic, json.dumps(answer), qos=1, properties=reply)


def _of_a_message() -> Properties:
    return Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]


def _tls_of(section: MqttSection) -> ssl.SSLContext | None:
    if not section.encrypted:
        return None
    try:
        context = ssl.create_default_context(cafile=section.ca)
        if section.certificate and section.key:
            context.load_cert_chain(section.certificate, section.key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = ", ".join(str(f) for f in (section.ca, section.certificate, section.key) if f)
        raise ConfigError(f"[mqtt]: cannot use {files}: {error}") from error
    return context


def _send_at_once(_client: Client, _link: _Link, opened: Any) -> None:
    # Else an event that follows another waits for the answer to that, 40 ms with most systems.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _on_connect(
    _client: Client, link: _Link, _flags: ConnectFlags, code: ReasonCode, _properties: Any
) -> None:
    with link.said:
        link.connected = code
        link.said.notify_all()


def _on_disconnect(
    _client: Client, link: _Link, _flags: DisconnectFlags, code: ReasonCode, _properties: Any
) -> None:
    with link.said:
        link.lost = f"the connection to the broker is lost: {code}"
        link.said.notify_all()


def _on_publish(
    _client: Client, link: _Link, number: int, code: ReasonCode, _properties: Any
) -> None:
    with link.said:
        link.acknowledged[number] = code
        link.said.notify_all()
