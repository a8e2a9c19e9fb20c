"""Tells a broker of one coil without an end, until it is killed."""

import sys
from itertools import count
from pathlib import Path

from stripscan.contract.event import StationState
from stripscan.runtime.sinks.mqtt import MqttSink
from stripscan.runtime.sinks.runner import SinkRunner
from stripscan.runtime.station_events import MqttSection
from stripscan.runtime.telling import reading
from unit.runtime.news_samples import newsroom


def main(path: Path, port: str) -> None:
    with newsroom(path, "mqtt") as (_, news):
        sink = MqttSink("line 1", MqttSection(address=f"127.0.0.1:{port}"))
        with SinkRunner(sink, outbox=news.outbox, bell=news.bell, reading=reading(path)):
            for number in count():
                with news.transaction():
                    for _ in range(3):
                        news.tell("station.state", StationState(state="ready"), coil="C1")
                print(number, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
