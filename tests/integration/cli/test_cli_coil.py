"""The daemon as a line runs it: ready, a coil by command, and a stop between two coils."""

import http.client
import json
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from integration.cli.program import ended, simulator, start, wait_until
from stripscan.runtime.store import Store

STATION = """\
name = "line-1"
[camera]
mm_per_px = 0.5
mm_per_line = 0.5
[coil]
control = "commands"
[control]
address = "127.0.0.1:0"
[source]
{source}
"""


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if (told := json.loads(line)).get("event") == "listening":
            return str(told["url"])
    raise AssertionError("it never listened")


def ask(
    url: str, path: str, body: dict[str, object] | None = None
) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    data = None if body is None else json.dumps(body)
    connection.request("POST" if data else "GET", path, data, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    status, said = answer.status, json.load(answer)
    connection.close()
    return status, said


def test_a_coil_by_command_and_a_stop_between_coils(tmp_path: Path) -> None:
    file = tmp_path / "line.toml"
    source = simulator(length_m=1000.0, width_px=256, speed_m_s=1, block_lines=64, pace=True)
    file.write_text(STATION.format(source=source), encoding="utf-8")
    process = start("run", file, "--log-level", "INFO", "--log-json", cwd=tmp_path)
    url = url_of(process)
    wait_until(lambda: ask(url, "/readyz")[0] == 200, process)
    assert ask(url, "/coils", {"id": "C-1"})[0] == 202

    def metres() -> float:
        coil = ask(url, "/status")[1]["coil"]
        return float(coil["length_m"]) if isinstance(coil, dict) else 0.0

    wait_until(lambda: metres() > 0, process)
    assert ask(url, "/coils/end", {}) == (202, {"coil": None, "ended": "C-1"})
    wait_until(lambda: ask(url, "/status")[1]["coil"] is None, process)
    assert ask(url, "/healthz")[0] == 200
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    code, messages = ended(process)

    assert code == 4, messages
    assert "Traceback" not in messages
    with Store.open(tmp_path / "stripscan.db", readonly=True) as store:
        (coil,) = store.coils()
        assert (coil.id, coil.status) == ("C-1", "complete")
        assert {i.status for i in store.coverage("C-1")} == {"inspected"}
