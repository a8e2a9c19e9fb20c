"""A whole station with a broker and a PLC's port, from its file to the last event."""

from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="needs the export extra, to make a model")

from integration.runtime.mqtt_peer import Receiver, broker, until
from integration.runtime.test_run_station import a_station, frames
from stripscan.contract.errors import ConfigError
from stripscan.runtime.daemon import run_station
from stripscan.runtime.outbox_tables import OutboxTables
from stripscan.runtime.station import load_station
from stripscan.runtime.store import Store
from stripscan.runtime.telling import station_sinks, undelivered_coils

__all__ = ["frames"]
pytestmark = [pytest.mark.export, pytest.mark.debian("mosquitto")]


def test_a_station_tells_of_its_coil_and_of_itself(tmp_path: Path, frames: Path) -> None:
    file = a_station(tmp_path)
    with broker(tmp_path) as real, Receiver(real.port) as receiver:
        told = f'\n[mqtt]\naddress = "127.0.0.1:{real.port}"\n[modbus]\naddress = "127.0.0.1:0"\n'
        file.write_text(file.read_text() + told)
        run_station(load_station(file))
        until(lambda: receiver.last("stripscan/line 1/available") == "offline")
        kinds = [e["type"].removeprefix("stripscan.") for e in receiver.once()]
        states = [
            e["data"]["state"] for e in receiver.once() if e["type"].endswith("station.state")
        ]
    assert states[0] == "warming"
    assert states[-1] == "stopping"
    coil = [kind for kind in kinds if not kind.startswith("station")]
    assert coil[0] == "coil.started"
    assert coil[-1] == "coil.graded"
    assert {"defect.new", "defect.end", "coil.ended"} <= set(coil)


def test_a_coil_is_kept_until_its_events_are_delivered(tmp_path: Path, frames: Path) -> None:
    file = a_station(tmp_path)
    file.write_text(file.read_text() + '\n[mqtt]\naddress = "127.0.0.1:9"\n')
    station = load_station(file)
    run_station(station)
    assert undelivered_coils(station)() == {"a"}
    with Store.open(station.store.path) as store, store.transaction():
        OutboxTables(store.backend).clear(10**6, limit=10**6)
    assert undelivered_coils(station)() == set()


def test_what_a_sink_needs_is_checked_ahead(tmp_path: Path, frames: Path) -> None:
    file = a_station(tmp_path)
    mqtt = '\n[mqtt]\naddress = "127.0.0.1:9"\npassword_file = "mqtt.password"\n'
    file.write_text(file.read_text() + mqtt)
    with pytest.raises(ConfigError, match=r"mqtt\.password: cannot read the secret"):
        station_sinks(load_station(file))
    (tmp_path / "mqtt.password").write_text("\n")
    with pytest.raises(ConfigError, match="the secret is empty"):
        station_sinks(load_station(file))
