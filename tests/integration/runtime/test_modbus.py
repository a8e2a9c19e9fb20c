"""What a PLC reads and acknowledges, with a real client."""

import random
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from stripscan.contract.classes import NEU_CLASSES
from stripscan.contract.errors import ConfigError
from stripscan.runtime.alarms import AlarmKind
from stripscan.runtime.coil_news import CoilNews
from stripscan.runtime.coil_run import Progress
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.line_state import LineState
from stripscan.runtime.news import News
from stripscan.runtime.plc.registers import (
    ACKNOWLEDGE,
    ACKNOWLEDGE_ALL,
    ACTIVE,
    COILS,
    DISCRETE_INPUTS,
    FLAGS,
    REGISTERS,
    UNACKNOWLEDGED,
    RegisterMap,
)
from stripscan.runtime.plc.server import PlcServer
from stripscan.runtime.station_control import Address
from stripscan.runtime.supervision import CoilNow, Supervisor
from unit.runtime.line_samples import LINES, Tape, spotted
from unit.runtime.news_samples import newsroom, play
from unit.runtime.test_store import a_defect

ANYWHERE = Address("127.0.0.1", 0)


@contextmanager
def plc(news: News, supervisor: Supervisor) -> Iterator[ModbusTcpClient]:
    with (
        PlcServer(ANYWHERE, RegisterMap(supervisor, news)) as server,
        closing(ModbusTcpClient("127.0.0.1", port=server.address.port)) as client,
    ):
        assert client.connect()
        yield client


def bits(client: ModbusTcpClient, first: int, count: int = len(AlarmKind)) -> list[int]:
    """Return which discrete inputs are on, counted from the first."""
    read = client.read_discrete_inputs(first, count=count).bits[:count]
    return [place for place, on in enumerate(read) if on]


def alarms(client: ModbusTcpClient) -> list[list[int]]:
    """Return which alarms are open, whose cause lasts, and which nobody has acknowledged."""
    return [bits(client, first) for first in (0, ACTIVE, UNACKNOWLEDGED)]


def test_a_plc_reads_the_map_of_the_documentation(tmp_path: Path) -> None:
    supervisor = Supervisor()
    for state in (LineState.WARMING, LineState.READY):
        supervisor.enter(state)
    with newsroom(tmp_path / "line.sqlite") as (_, news), plc(news, supervisor) as client:
        defect = a_defect(7, severity="major", surface="bottom", along_start_m=70.0015)
        with news.transaction():
            CoilNews(news, "C-ü1", classes=NEU_CLASSES).defect(replace(defect, area_mm2=1e12))
            news.alert(AlarmKind.CAMERA, "gone", cause="top")
        supervisor.coil = CoilNow(
            plan=PlannedCoil(id="C-ü1"),
            progress=Progress(
                coil="C-ü1",
                lines=1,
                total_lines=None,
                length_m=70.5,
                defects=65_537,
                throughput_mpx_s=0.0,
                latency_p50_ms=None,
            ),
        )
        supervisor.review()
        told = client.read_holding_registers(0, count=REGISTERS).registers
        class_id = next(c.id for c in NEU_CLASSES if c.name == "scratches")
        assert told == [
            *(1, supervisor.beats, 3, 1),
            *(1, 4964),  # 70,500 mm
            *(0, 0, 1, 1, 0),  # standing, 65,537 defects, no grade
            *(0b1000, 0b1000, 0b1000),
            *(1, class_id, 2, 1, 1, 4466, 100, 104, 0, 250, 0xFFFF, 0xFFFF, 0, 7),
            *(0x432D, 0x3F31),
            *[0] * 18,
        ]
        assert client.read_input_registers(0, count=REGISTERS).registers == told
        assert bits(client, FLAGS, 3) == [0, 1]
        supervisor.beat("inspecting")
        assert client.read_holding_registers(1).registers == [told[1] + 1]
        for answer in (
            client.read_holding_registers(REGISTERS),
            client.read_discrete_inputs(DISCRETE_INPUTS),
            client.read_coils(COILS),
            client.write_register(0, 9),
        ):
            assert answer.isError()
        assert client.read_holding_registers(0).registers == [1]


def test_a_plc_acknowledges_what_it_has_seen(tmp_path: Path) -> None:
    with newsroom(tmp_path / "line.sqlite") as (_, news), plc(news, Supervisor()) as client:
        with news.transaction():
            news.alert(AlarmKind.ROLL_REPEAT, "F7", cause="F7")
            news.alert(AlarmKind.DEFECT, "critical scratch")
        assert alarms(client) == [
            [0, 1],
            [1],
            [0, 1],
        ]
        assert client.read_coils(0, count=6).bits[:6] == [True, True, *[False] * 4]

        assert client.write_coil(0, False).isError(), "a lamp is not switched off"
        assert not client.write_coil(ACKNOWLEDGE + 1, False).isError()
        news.turn(LineState.READY)
        assert bits(client, UNACKNOWLEDGED) == [0, 1]
        assert not client.write_coils(ACKNOWLEDGE, [True, True]).isError()
        news.turn(LineState.READY)
        assert alarms(client) == [[1], [1], []]
        assert not any(client.read_coils(ACKNOWLEDGE, count=16).bits), "they read as 0"
        with news.transaction():
            news.alert(AlarmKind.DEFECT, "another")
            news.calm(AlarmKind.ROLL_REPEAT, cause="F7")
        assert alarms(client) == [[0], [], [0]]
        assert not client.write_coil(ACKNOWLEDGE_ALL, True).isError()
        news.turn(LineState.READY)
        assert bits(client, 0) == []


def test_a_plc_follows_a_coil(tmp_path: Path) -> None:
    supervisor, seen = Supervisor(), list[list[int]]()
    with newsroom(tmp_path / "line.sqlite") as (store, news), plc(news, supervisor) as client:

        def look() -> None:
            seen.append(client.read_holding_registers(0, count=REGISTERS).registers)

        tape = Tape(spotted(8 * LINES), during={n: [look] for n in range(1, 8)})
        play(store, news, tape, coil="C1", supervisor=supervisor)
        look()
        found = store.defects("C1")
    grades = {"accept": 1, "downgrade": 2, "hold": 3}
    assert any(told[3] for told in seen[:-1])
    beats, metres = [t[1] for t in seen], [t[4] * 65536 + t[5] for t in seen if t[3]]
    assert (beats, metres) == (sorted(beats), sorted(metres))
    assert seen[-1][3] == 0
    assert news.grade is not None
    assert seen[-1][10] == grades[news.grade]
    assert news.latest is not None
    assert seen[-1][14] == news.latest.count >= len(found) > 5


def test_ten_thousand_malformed_frames_do_no_harm(tmp_path: Path) -> None:
    dice = random.Random(3)  # noqa: S311 - no secret
    with newsroom(tmp_path / "line.sqlite") as (_, news), plc(news, Supervisor()) as client:
        where = ("127.0.0.1", client.comm_params.port)
        for _ in range(100):
            with socket.create_connection(where, timeout=5) as line:
                frames = []
                for number in range(100):
                    body = dice.randbytes(dice.randrange(1, 12))
                    length = dice.choice([len(body) + 1, dice.randrange(0x10000)])
                    head = struct.pack(">HHHB", number, dice.choice([0, 0, 7]), length, 1)
                    frames.append(dice.choice([head, head, b""]) + body)
                line.sendall(b"".join(frames))
        assert client.read_holding_registers(0).registers == [1]
        assert not news.alarms.open


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = PlcServer(Address("127.0.0.1", port), RegisterMap(Supervisor(), None))  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"), server:
            pass
